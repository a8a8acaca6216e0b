"""Progress is lines of text, and a bar only where somebody watches a terminal."""

from __future__ import annotations

import io
import os
import pty
import re

import pytest

from pcleantask.progress import NullProgress, Progress, ScreenProgress

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")  # all but tab and newline


def run(progress: Progress) -> None:
    """The calls of a run with two major cycles, down from 1 Jy/beam to 10 mJy/beam."""
    progress.stage("PSF and primary beam")
    progress.stage("first residual")
    progress.cycle(number=0, peak_residual=1.0, cycle_threshold=None, iterations=0)
    progress.cycle(number=1, peak_residual=0.1, cycle_threshold=0.12, iterations=250)
    progress.cycle(number=2, peak_residual=0.0000105, cycle_threshold=0.0101, iterations=700)
    progress.stopped(2, "threshold")
    progress.stage("restoration")
    progress.finish()


@pytest.fixture
def lines() -> list[str]:
    """What a run writes to a stream that is no terminal."""
    stream = io.StringIO()
    run(ScreenProgress(1000, 0.01, stream))
    assert not CONTROL.search(stream.getvalue())
    assert stream.getvalue().endswith("\n")
    return stream.getvalue().splitlines()


def test_stream_that_is_no_terminal_gets_a_line_for_each_major_cycle(lines: list[str]) -> None:
    header, *cycles, stopped = lines
    assert re.split(r"\s{2,}", header.strip()) == [
        "cycle", "peak residual", "cycle threshold", "iterations", "elapsed",
    ]  # fmt: skip
    assert [line.split()[0] for line in cycles] == ["0", "1", "2"]
    assert stopped == "stopped: threshold (stop code 2)"


def test_values_stand_below_their_headings_in_units_that_keep_the_digits(lines: list[str]) -> None:
    cells = [re.split(r"\s{2,}", line.strip())[:4] for line in lines[1:4]]
    assert cells == [
        ["0", "1 Jy/beam", "-", "0"],
        ["1", "100 mJy/beam", "120 mJy/beam", "250"],
        ["2", "10.5 uJy/beam", "10.1 mJy/beam", "700"],
    ]
    assert len({len(line) for line in lines[:4]}) == 1


def test_two_runs_in_a_row_write_the_same() -> None:
    texts = []
    for _ in range(2):
        stream = io.StringIO()
        run(ScreenProgress(1000, 0.01, stream))
        texts.append(stream.getvalue())
    assert texts[0] == texts[1]


def test_standard_error_is_the_default_and_standard_output_stays_clean(capsys: pytest.CaptureFixture[str]) -> None:
    run(ScreenProgress(1000, 0.01))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "stop code 2" in captured.err


@pytest.fixture
def shown() -> str:
    """What a run writes to a terminal."""
    lead, terminal = pty.openpty()
    with os.fdopen(terminal, "w", encoding="utf-8") as stream:
        run(ScreenProgress(1000, 0.01, stream))
        stream.flush()
        text = b""
        os.set_blocking(lead, False)
        while chunk := _read(lead):
            text += chunk
    os.close(lead)
    return text.decode()


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except BlockingIOError:
        return b""


def test_terminal_gets_a_bar_that_tells_the_stage_and_grows(shown: str) -> None:
    bars = re.findall(r"([\w ,]+?)\s+(\d+)% \|", shown)
    stages = list(dict.fromkeys(stage.strip() for stage, _ in bars if stage.strip()))
    assert stages == ["PSF and primary beam", "first residual", "cleaning, cycle 1", "cleaning, cycle 2",
                      "cleaning, cycle 3", "restoration"]  # fmt: skip
    percent = [int(part) for _, part in bars]
    assert percent == sorted(percent)
    assert {0, 50, 100} <= set(percent)  # half of the way in depth, from 1 to 0.01 Jy/beam, is at 0.1


def test_terminal_gets_the_lines_as_well_and_the_bar_is_gone_at_the_end(shown: str) -> None:
    assert "stopped: threshold (stop code 2)" in shown
    assert "10.5 uJy/beam" in shown
    last = shown.rstrip("\n").rpartition("\r")[0].rpartition("\r")[2]
    assert last.strip() == ""


@pytest.mark.parametrize(
    ("niter", "threshold", "peak", "iterations", "percent"),
    [
        (1000, 0.0, 0.5, 250, 25),  # no threshold: iterations alone
        (1000, 0.01, 0.1, 10, 50),  # depth is further
        (1000, 0.01, 0.9, 900, 90),  # iterations are further
        (1000, 0.01, 2.0, 10, 1),  # diverging
        (1000, 5.0, 0.5, 100, 10),  # threshold above the first peak
        (100, 0.0, 0.5, 250, 100),  # more iterations than asked for, as CASA does
        (1000, 0.01, 0.0, 10, 1),  # nothing left
    ],
)
def test_bar_goes_by_iterations_or_depth_whichever_is_further(
    niter: int, threshold: float, peak: float, iterations: int, percent: int
) -> None:
    progress = ScreenProgress(niter, threshold, io.StringIO())
    progress.cycle(number=0, peak_residual=1.0, cycle_threshold=None, iterations=0)
    progress.cycle(number=1, peak_residual=peak, cycle_threshold=0.1, iterations=iterations)
    assert progress._bar.n == percent


def test_null_progress_shows_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    run(NullProgress())
    assert capfd.readouterr() == ("", "")
