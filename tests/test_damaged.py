"""Damaged data and files that are none are told by errors with names, before any work, and nothing waits for a pipe."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pcleantask import casa, cli, pclean
from pcleantask.errors import ImagingError, MissingInputError, ParameterError, ParameterTypeError

LIMIT_S = 60
CALL: dict[str, Any] = {
    "vis": "line.ms", "imagename": "img", "imsize": 64, "cell": "0.4arcsec", "specmode": "cube", "nchan": 2, "niter": 2,
}  # fmt: skip
ENGINES = pytest.mark.parametrize("engine", ["casa", "ducc"])


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line_ms: Path) -> Path:
    casa.load()
    monkeypatch.chdir(tmp_path)
    shutil.copytree(line_ms, "line.ms")
    return tmp_path


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 3)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "truncated": cut,
    "zeroed": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "garbage": lambda path: path.write_bytes(os.urandom(path.stat().st_size)),
    "empty": lambda path: path.write_bytes(b""),
}


@ENGINES
@pytest.mark.parametrize("how", DAMAGE)
def test_damaged_table_is_told_before_any_work(how: str, engine: str) -> None:
    DAMAGE[how](Path("line.ms/table.dat"))
    with pytest.raises(MissingInputError, match=r"vis 'line.ms' is damaged: .*take a copy of it that is whole"):
        pclean(**CALL, engine=engine)
    assert not list(Path().glob("img*"))


@ENGINES
def test_truncated_visibilities_are_an_imaging_error(engine: str) -> None:
    largest = max(Path("line.ms").glob("table.f*_TSM*"), key=lambda path: path.stat().st_size)
    cut(largest)
    with pytest.raises(ImagingError, match="CASA failed while"):
        pclean(**CALL, engine=engine)


FILES: dict[str, bytes] = {
    "infinite": b"imagename=far\nnchan=1e999\n",
    "not a number": b"imagename=far\nimsize=nan\n",
    "latin-1": "imagename=f\xe4r\n".encode("latin-1"),
    "signs": b"imagename=far\nimsize=" + b"-" * 100_000 + b"1\n",
    "brackets": b"imagename=far\nimsize=" + b"[" * 100_000 + b"\n",
    "binary": bytes(range(256)) * 4,
}


@pytest.mark.parametrize("name", FILES)
def test_outlier_file_that_is_none_is_told(name: str) -> None:
    Path("out.txt").write_bytes(FILES[name])
    with pytest.raises(ParameterError) as caught:
        pclean(**CALL, outlierfile="out.txt")
    assert "out.txt" in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.timeout(LIMIT_S)
@pytest.mark.parametrize(
    "parameter",
    [{"mask": "pipe", "usemask": "user"}, {"outlierfile": "pipe"}, {"startmodel": "pipe"}, {"vis": "pipe"}],
    ids=lambda parameter: next(iter(parameter)),
)
def test_nobody_waits_for_a_pipe(parameter: dict[str, str]) -> None:
    os.mkfifo("pipe")
    with pytest.raises(MissingInputError, match="'pipe'"):
        pclean(**{**CALL, **parameter})


@pytest.mark.timeout(LIMIT_S)
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xbe\xbe\x00\xff", "no text in UTF-8"),
        (b'--vis "line.ms --imagename x', "No closing quotation"),
        (None, "it is no file"),
    ],
    ids=["binary", "open quote", "pipe"],
)
def test_file_of_options_that_is_none_is_told(
    content: bytes | None, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("options").write_bytes(content) if content else os.mkfifo("options")
    assert cli.main(["image", "@options"]) == cli.USAGE
    assert said in capsys.readouterr().err


def test_options_come_from_what_a_shell_hands_on(folder: Path) -> None:
    words = "image @<(echo --vis gone.ms --imagename x)"
    code = "import sys; from pcleantask.cli import main; sys.exit(main())"
    run = subprocess.run(
        ["bash", "-c", f"{sys.executable} -c '{code}' {words}"],
        capture_output=True, text=True, timeout=LIMIT_S, check=False,
    )  # fmt: skip
    assert "vis 'gone.ms' is not there" in run.stderr


@pytest.mark.parametrize("value", [-3.5, [1.0], {"a": 1}, True])
def test_start_model_that_is_no_path_is_told(value: Any) -> None:
    with pytest.raises(ParameterTypeError, match="startmodel must be"):
        pclean(**CALL, startmodel=value)


@pytest.mark.parametrize("beam", ["0arcsec", ["0arcsec"], ["2arcsec", "0arcsec", "10deg"]])
def test_restoring_beam_without_size_is_told(beam: Any) -> None:
    with pytest.raises(ParameterError, match="must have axes above zero"):
        pclean(**CALL, restoringbeam=beam)


@pytest.mark.parametrize("imagename", ["line.ms/img", "line.ms/FIELD/img", "line.ms/new/img"])
def test_images_are_not_made_inside_a_measurement_set(imagename: str, folder: Path) -> None:
    before = sorted(folder.rglob("*"))
    with pytest.raises(ParameterError, match=r"stands inside .*table of CASA's"):
        pclean(**{**CALL, "imagename": imagename})
    assert [path for path in sorted(folder.rglob("*")) if path.suffix != ".log"] == before
