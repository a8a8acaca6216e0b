"""The iteration control: its stop codes, and that a run knows nothing of the one before it, however that ended.

CASA keeps the controller's state once per process and heeds a new set-up only when the old one is ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pcleantask import PcleanConfig, SerialImager
from pcleantask.errors import ImagingError
from pcleantask.imaging.iteration import IterationControl
from pcleantask.report import STOP_DESCRIPTIONS
from pcleantask.toolrecords import Record, to_casa_iterpars
from tests.agreement.cases import CUBE, MFS
from tests.agreement.compare import compare_products, differences, peak, products

Parameters = dict[str, Any]

SMALL_MFS = {**MFS, "imsize": 64, "niter": 40, "cycleniter": 20}
SMALL_CUBE = {**CUBE, "imsize": 64, "niter": 60, "cycleniter": 20, "nchan": 3, "start": "230.002GHz"}
ITERATIONS_A_CYCLE = 10


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dataset: Callable[[str], Path]) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("continuum", "line"):
        (tmp_path / f"{name}.ms").symlink_to(dataset(name))
    return tmp_path


def config_of(imagename: str = "img", base: Parameters = SMALL_MFS, **changes: Any) -> PcleanConfig:
    return PcleanConfig.from_parameters(**{**base, "imagename": imagename, **changes})


def control_of(**changes: Any) -> IterationControl:
    control = IterationControl(to_casa_iterpars(config_of(**changes), ("img",)))
    control.end_major_cycle(is_first=True)
    return control


def init_record(peak_residual: float, masksum: float = 100.0, nsigma_threshold: float = 0.0) -> Record:
    """What a deconvolver says of its residual."""
    return {
        "peakresidual": peak_residual,
        "peakresidualnomask": peak_residual,
        "masksum": masksum,
        "maxpsfsidelobe": 0.3,
        "nsigmathreshold": nsigma_threshold,
        "nsigma": 0.0,
        "madrms": 0.0,
        "fullsummary": False,
    }


def exec_record(peak_residual: float, controls: Record) -> Record:
    """What a deconvolver says of a minor cycle."""
    return {
        "iterdone": ITERATIONS_A_CYCLE,
        "maxcycleiterdone": ITERATIONS_A_CYCLE,
        "peakresidual": peak_residual,
        "peakresidualnomask": peak_residual,
        "updatedmodelflag": True,
        "summaryminor": np.array([[ITERATIONS_A_CYCLE], [peak_residual], *[[0.0]] * (controls["summaryrows"] - 2)]),
    }


def cycles(control: IterationControl, records: Sequence[Record], nmajor_limit: int = -1) -> Iterator[int]:
    """The stop code after each record, with a minor and a major cycle in between, until there is one."""
    for record in records:
        yield (code := control.converged([record], nmajor_limit))
        if code:
            return
        controls = control.start_minor_cycle()
        assert control.end_minor_cycle([exec_record(record["peakresidual"] / 2, controls)])
        control.end_major_cycle(is_first=False)


PEAKS = {
    "iteration limit": ([1.0, 0.9, 0.8, 0.7, 0.6], {}, [0, 0, 0, 0, 1]),
    "threshold": ([1.0, 0.5, 0.05], {"threshold": 0.1}, [0, 0, 2]),
    "no change": ([1.0, 0.5, 0.5, 0.4], {}, [0, 0, 4]),
    "increase over the cycle before": ([1.0, 0.5, 2.0, 9.0], {}, [0, 0, 0, 5]),
    "increase over the least": ([1.0, 0.2, 0.5, 1.0], {"niter": 200}, [0, 0, 0, 6]),
}


@pytest.mark.parametrize(("peaks", "changes", "codes"), PEAKS.values(), ids=PEAKS)
def test_stop_codes_follow_peak_residual(peaks: list[float], changes: Parameters, codes: list[int]) -> None:
    with closing(control_of(**changes)) as control:
        assert list(cycles(control, [init_record(level) for level in peaks])) == codes
        assert control.summary()["stopcode"] == codes[-1]
        assert control.iterations == ITERATIONS_A_CYCLE * (len(codes) - 1)
        assert control.major_cycles == len(codes) - 1
        assert control.peak_residual == peaks[len(codes) - 1]
    assert codes[-1] in STOP_DESCRIPTIONS


@pytest.mark.parametrize(("peaks", "changes", "codes"), PEAKS.values(), ids=PEAKS)
def test_answer_is_the_same_however_often_it_is_asked(
    peaks: list[float], changes: Parameters, codes: list[int]
) -> None:
    with closing(control_of(**changes)) as control:
        found = []
        for peak_residual, code in zip(peaks, cycles(control, [init_record(level) for level in peaks]), strict=False):
            found.append([code, *(control.converged([init_record(peak_residual)]) for _ in range(2))])
        assert found == [[code] * 3 for code in codes]
        assert control.summary()["stopcode"] == codes[-1]


def test_answer_is_found_anew_where_the_mask_has_changed() -> None:
    with closing(control_of()) as control:
        assert list(cycles(control, [init_record(level) for level in (1.0, 0.5, 0.5)])) == [0, 0, 4]
        assert control.converged([{**init_record(0.5), "peakresidual": 0.4}]) == 0


def test_stop_codes_of_mask_nsigma_and_nmajor() -> None:
    with closing(control_of()) as control:
        assert list(cycles(control, [init_record(1.0, masksum=0.0)])) == [7]
    with closing(control_of()) as control:
        records = [init_record(level, nsigma_threshold=0.1) for level in (1.0, 0.5, 0.05)]
        assert list(cycles(control, records)) == [0, 0, 8]
    with closing(control_of()) as control:
        assert list(cycles(control, [init_record(level) for level in (1.0, 0.5, 0.4)], nmajor_limit=1)) == [0, 9]
    with closing(control_of()) as control:
        assert list(cycles(control, [init_record(1.0)], nmajor_limit=0)) == [9]


def test_minor_cycle_without_major_cycle_is_forgotten() -> None:
    """CASA's `done` keeps its count, which showed in the return dictionary of the run after an interrupted one."""
    left = control_of()
    left.converged([init_record(1.0)])
    left.end_minor_cycle([exec_record(0.5, left.start_minor_cycle())])
    assert left.summary()["cycleiterdone"] == ITERATIONS_A_CYCLE
    left.close()
    with closing(IterationControl(to_casa_iterpars(config_of(), ("img",)))) as control:
        summary = control.summary()
        assert (summary["iterdone"], summary["cycleiterdone"], summary["interactiveiterdone"]) == (0, 0, 0)


def test_controls_deepen_with_the_residual() -> None:
    with closing(control_of(cyclefactor=1.5)) as control:
        levels = []
        for level in (1.0, 0.5):
            control.converged([init_record(level)])
            controls = control.start_minor_cycle()
            levels.append(controls["cyclethreshold"])
            control.end_minor_cycle([exec_record(level / 2, controls)])
            control.end_major_cycle(is_first=False)
        assert levels == pytest.approx([1.5 * 0.3 * 1.0, 1.5 * 0.3 * 0.5])
        assert control.controls["cycleniter"] == 20


def run(imagename: str, base: Parameters) -> Parameters:
    with SerialImager(config_of(imagename, base)) as imager:
        return imager.run()


@pytest.fixture
def fresh(folder: Path) -> tuple[Parameters, dict[str, Path]]:
    """Return dictionary and products of a run with nothing before it."""
    return run("fresh", SMALL_CUBE), products(folder, "fresh")


def test_run_after_one_that_was_never_ended_is_independent(
    folder: Path, fresh: tuple[Parameters, dict[str, Path]]
) -> None:
    expected, images = fresh
    assert expected["iterdone"] >= 60
    left_open = SerialImager(config_of("open"))
    left_open.run()
    with SerialImager(config_of("next", SMALL_CUBE)) as imager:
        found = imager.run()
        left_open.teardown()  # ends its own control only, which is no longer the process's
        assert imager.has_converged()
    assert list(differences(expected, found)) == []
    assert compare_products(images, products(folder, "next")) == []
    assert peak(folder / "open.model") > 0


def test_control_of_older_run_raises_rather_than_mix_up() -> None:
    older = control_of()
    with closing(control_of(niter=20)) as newer:
        with pytest.raises(ImagingError, match="another run of this process has taken over"):
            older.converged([init_record(1.0)])
        older.close()
        assert list(cycles(newer, [init_record(1.0), init_record(0.5), init_record(0.4)])) == [0, 0, 1]


def break_in_minor_cycle(imager: SerialImager) -> None:
    imager.setup()
    imager.make_psf()
    imager.make_pb()
    imager.run_major_cycle(is_first=True)
    imager.has_converged()
    imager.update_masks()
    imager.has_converged()
    imager.run_minor_cycle()
    raise KeyboardInterrupt


def break_in_tool(imager: SerialImager) -> None:
    imager.setup()
    imager.make_psf()
    imager.make_pb()
    imager.run_major_cycle(is_first=True)
    imager.has_converged()
    imager.update_masks()
    imager.has_converged()
    imager.run_minor_cycle({"thresholdreached": False, "cycleniter": "many"})


@pytest.mark.parametrize("fail", [break_in_minor_cycle, break_in_tool])
def test_exception_in_mid_run_leaves_nothing_for_the_next(
    folder: Path, fresh: tuple[Parameters, dict[str, Path]], fail: Callable[[SerialImager], None]
) -> None:
    expected, images = fresh
    with pytest.raises((KeyboardInterrupt, ImagingError)), SerialImager(config_of("broken", SMALL_CUBE)) as imager:
        fail(imager)
    assert {path.name for path in folder.glob("broken*")} == {"broken.workdirectory"}
    found = run("next", SMALL_CUBE)
    assert expected["iterdone"] >= 60
    assert list(differences(expected, found)) == []
    assert compare_products(images, products(folder, "next")) == []


def test_two_fields_count_as_one_controller(folder: Path) -> None:
    """The iterations of both fields count for niter, and the higher residual sets the cycle threshold."""
    with closing(control_of()) as control:
        control.converged([init_record(0.2), init_record(1.0)])
        assert control.peak_residual == 1.0
        controls = control.start_minor_cycle()
        assert controls["cyclethreshold"] == pytest.approx(0.3)
        control.end_minor_cycle([exec_record(0.1, controls), exec_record(0.5, controls)])
        assert control.iterations == 2 * ITERATIONS_A_CYCLE == control.summary()["iterdone"]
