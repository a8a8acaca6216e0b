"""Where tclean warns and goes on, pclean warns too; where tclean refuses by a warning and None, pclean raises.

What tclean does with each call is tried, not remembered: a newer tclean that does otherwise fails the test.
"""

from __future__ import annotations

import math
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pcleantask import casa, cautions, errors
from pcleantask.images.history import write_history
from pcleantask.parameters import defaults
from tests.agreement.cases import CUBE, MFS, MOSAIC
from tests.agreement.cases.table import CENTRE
from tests.agreement.compare import products
from tests.agreement.oracle import Oracle

Params = dict[str, Any]

GOOD: Params = {**MFS, "vis": "line.ms", "imsize": 32, "niter": 10}
MTMFS: Params = {"deconvolver": "mtmfs"}
MVC: Params = {"specmode": "mvc", **MTMFS}
TAPER: Params = {"weighting": "briggsbwtaper"}
BEAMS = "2arcsec"

NONE, GOES_ON = "a warning and None", "goes on"
# A call -> what tclean does of it, what pclean's error says. The README has the list.
REFUSED: list[tuple[Params, str, str]] = [
    ({**MTMFS, "specmode": "cube"}, NONE, "deconvolver='mtmfs' can't be used with specmode='cube'"),
    ({**MTMFS, "specmode": "cubedata"}, NONE, "deconvolver='mtmfs' can't be used with specmode='cubedata'"),
    ({**TAPER, "specmode": "mfs"}, NONE, "weighting='briggsbwtaper' is for cubes"),
    ({**TAPER, "specmode": "cont"}, NONE, "weighting='briggsbwtaper' is for cubes"),
    ({**TAPER, "specmode": "cube", "npixels": 3}, NONE, "weighting='briggsbwtaper' needs npixels=0, got 3"),
    ({"nmajor": -2}, NONE, "nmajor must be -1 (no limit), 0 or positive, got -2"),
    ({"specmode": "mvc"}, NONE, "specmode='mvc' needs deconvolver='mtmfs' and two terms or more"),
    ({**MVC, "nterms": 1}, NONE, "specmode='mvc' needs deconvolver='mtmfs' and two terms or more"),
    ({**MVC, "gridder": "awproject", "wbawp": False}, NONE, "set wbawp=True"),
    ({**MVC, "gridder": "awproject", "conjbeams": True}, NONE, "set conjbeams=False"),
    ({**MVC, "gridder": "mosaic", "conjbeams": True}, NONE, "set conjbeams=False"),
    ({"niter": -1}, GOES_ON, "niter must not be negative, got -1"),
    ({"gain": 0.0}, GOES_ON, "gain must be positive, got 0.0"),
    ({"gain": -0.1}, GOES_ON, "gain must be positive, got -0.1"),
    ({"nsigma": -3.0}, GOES_ON, "nsigma must not be negative, got -3.0"),
    ({"cyclefactor": -1.0}, GOES_ON, "cyclefactor must not be negative, got -1.0"),
    ({"minpsffraction": -0.1}, GOES_ON, "minpsffraction must not be negative, got -0.1"),
    ({"maxpsffraction": -0.1}, GOES_ON, "maxpsffraction must not be negative, got -0.1"),
    ({"threshold": "5mK"}, GOES_ON, "threshold '5mK' is no flux density"),
    ({"threshold": [1.0]}, GOES_ON, "threshold [1.0] is no flux density"),
    ({"cell": "0.4"}, GOES_ON, "cell '0.4' has no unit of angle"),
    ({"cell": ["0.4arcsec", "0.4m"]}, GOES_ON, "cell '0.4m' has no unit of angle"),
    ({"mask": "absent.mask"}, GOES_ON, "mask 'absent.mask' is not there"),
    ({"restoringbeam": [BEAMS] * 4}, GOES_ON, "is no beam"),
    ({"vis": ["line.ms", "./line.ms"]}, GOES_ON, "'line.ms' more than once"),
    ({"vis": ["line.ms", "link.ms"]}, GOES_ON, "'line.ms' more than once, also as 'link.ms'"),
    ({"imagename": "out/"}, GOES_ON, "imagename 'out/' is a folder"),
    ({"mask": "circle[[9pix,9pix],3pix"}, GOES_ON, "its brackets don't match"),
    ({"mask": "circel[[9pix,9pix],3pix]"}, GOES_ON, "must begin with one of circle"),
    ({"mask": "+circle[[9pix,9pix],3pix]"}, GOES_ON, "must begin with one of circle"),
    ({"mask": f"{CENTRE}\n{CENTRE}"}, GOES_ON, "it has several lines; give a list"),
    ({"mask": "circle[[9,9],3]"}, GOES_ON, "9 has no unit, such as pix"),
    ({"mask": "words.txt"}, GOES_ON, "mask 'words.txt' is no region file"),
    ({"mask": "plain"}, GOES_ON, "mask 'plain' is no CASA image"),
    ({"niter": 2**31}, GOES_ON, "niter must not be beyond 2147483647 (CASA's integers), got 2147483648"),
    ({"gain": math.nan}, GOES_ON, "got nan, which is no number"),
    ({"threshold": math.nan}, GOES_ON, "got nan, which is no number"),
    ({"pblimit": 1.0}, GOES_ON, "pblimit must be below 1, got 1.0"),
    ({"cell": "-0.4arcsec"}, GOES_ON, "cell '-0.4arcsec' must be above zero"),
    ({"datacolumn": "model"}, GOES_ON, "datacolumn must be 'corrected', 'data' or 'observed', got 'model'"),
    ({"specmode": "cube", "start": "abc"}, GOES_ON, "start 'abc' is no channel, frequency or velocity"),
    ({"specmode": "cube", "width": "2mm"}, GOES_ON, "width '2mm' is no channel, frequency or velocity"),
    ({"calcres": False}, GOES_ON, "calcres=False takes 'img.residual' of a run before, which is not there"),
    ({"outlierfile": "typo.txt"}, GOES_ON, "no parameter 'imsiez'; did you mean 'imsize'?"),
]


def label(value: object) -> str | None:
    return ",".join(f"{name}={entry}" for name, entry in value.items())[:50] if isinstance(value, dict) else None


@pytest.fixture(scope="module")
def oracles(session_dir: Path) -> Any:
    """Task -> where it runs; both live as long as the module."""
    tasks = {name: Oracle(session_dir / "messages" / name) for name in ("tclean", "pclean")}
    yield tasks
    for oracle in tasks.values():
        oracle.close()


@pytest.fixture
def folders(tmp_path: Path, dataset: Callable[[str], Path]) -> dict[str, Path]:
    """Task -> an empty folder with the data."""
    found = {name: tmp_path / name for name in ("tclean", "pclean")}
    for folder in found.values():
        folder.mkdir()
        for name in ("line", "continuum", "mosaic"):
            (folder / f"{name}.ms").symlink_to(dataset(name))
        (folder / "link.ms").symlink_to(dataset("line"))
        (folder / "plain").mkdir()
        (folder / "words.txt").write_text("just words\n", encoding="utf-8")
        (folder / "typo.txt").write_text("imagename=far\nimsiez=[16,16]\n", encoding="utf-8")
    return found


@pytest.mark.parametrize(("changes", "answer", "message"), REFUSED, ids=label)
def test_what_tclean_lets_pass_or_refuses_without_an_error_raises(
    oracles: dict[str, Oracle], folders: dict[str, Path], changes: Params, answer: str, message: str
) -> None:
    value, error, warnings = oracles["tclean"].call("tclean", folders["tclean"], {**GOOD, **changes})
    assert error == ""
    assert (value is None) == (answer == NONE)
    if answer == NONE:
        assert len(warnings) == 1
        assert products(folders["tclean"], "img") == {}

    value, error, _ = oracles["pclean"].call("pclean", folders["pclean"], {**GOOD, **changes})
    assert value is None
    kind, _, text = error.strip().splitlines()[-1].partition(": ")
    assert message in text
    assert issubclass(getattr(errors, kind.rpartition(".")[2]), errors.ParameterError)
    assert products(folders["pclean"], "img") == {}


def test_readme_lists_what_is_refused() -> None:
    text = (Path(__file__).resolve().parent.parent / "README.md").read_text(encoding="utf-8")
    table = text[text.index("| what raises here |") :].partition("\n\n")[0]
    names = {name for changes, _, _ in REFUSED for name in changes}
    assert {name for name in names if f"`{name}" not in table} <= {"deconvolver", "gridder", "nterms", "weighting"}


def with_outliers(folder: Path) -> None:
    (folder / "outliers.txt").write_text("imagename=far\nimsize=[16,16]\nrobust=0.5\n", encoding="utf-8")


def with_mixed_weights(folder: Path) -> None:
    """Two MeasurementSets, of which one has WEIGHT_SPECTRUM."""
    for name in ("one.ms", "two.ms"):
        shutil.copytree((folder / "line.ms").resolve(), folder / name)
    with casa.tool("calibrater") as calibrater:
        calibrater.open(str(folder / "one.ms"), addcorr=False, addmodel=False)
        calibrater.initweights(wtmode="weight", dowtsp=True)
    with casa.opened_table(str(folder / "two.ms"), writable=True) as table:
        if "WEIGHT_SPECTRUM" in table.colnames():
            table.removecols("WEIGHT_SPECTRUM")


def with_start_model(folder: Path) -> None:
    """A restored image, which is in Jy/beam."""
    with casa.tool("image") as image:
        image.fromshape(str(folder / "restored"), [32, 32, 1, 1])
        image.setbrightnessunit("Jy/beam")


def with_far_outlier(folder: Path) -> None:
    """A field two minutes of arc off, where the primary beam is 0.5 minutes wide."""
    (folder / "far.txt").write_text(
        "imagename=far\nimsize=[16,16]\nphasecenter=J2000 10h00m00.0s -24d58m00.0s\n", encoding="utf-8"
    )


# A call -> what tclean's warning has in it (None: it is no warning there), and pclean's.
WARNED: dict[str, tuple[Params, str | None, str, Callable[[Path], None] | None]] = {
    "pbcor of Taylor terms": ({**MTMFS, "pbcor": True}, "pb.tt0", "pbcor=True with deconvolver='mtmfs'", None),
    "the same in mode cont": (
        {**MTMFS, "pbcor": True, "specmode": "cont"}, "pb.tt0", "pbcor=True with deconvolver='mtmfs'", None,
    ),
    "Taylor terms of a mosaic": (
        {**MOSAIC, **MTMFS, "specmode": "mfs", "imsize": 128}, "conjbeams", "no conjugate beams", None,
    ),
    "primary beam at the edge": (
        {**MOSAIC, "specmode": "mfs", "imsize": 96}, "at the edge of the .pb image", "is not zero at the edge", None,
    ),
    "one density for a tapered cube": (
        {**CUBE, **TAPER, "nchan": 3, "perchanweightdensity": False}, "not compatable with perchanweightdensity",
        "is meant for perchanweightdensity=True", None,
    ),
    "reference frequency far off": (
        {**MVC, "nchan": 3, "reffreq": "231GHz"}, "outside the selected frequency range", "outside the data's", None,
    ),
    "channels where the data have to say": (
        {**MVC, "nchan": 3, "start": "230.001GHz", "width": "1MHz"}, None, "no use for start and width", None,
    ),
    "weight spectra in one of two": (
        {"vis": ["one.ms", "two.ms"]}, "WEIGHT_SPECTRUM", "adding it to", with_mixed_weights,
    ),
    "outlier file with a shared parameter": (
        {"outlierfile": "outliers.txt"}, None, "fields can't differ in robust", with_outliers,
    ),
    "outlier beyond the primary beam": (
        {"outlierfile": "far.txt"}, None, "'far' lies beyond pblimit=0.2 of the primary beam", with_far_outlier,
    ),
    "start model in Jy/beam": (
        {"startmodel": "restored"}, None, "'restored' is in Jy/beam, and is taken for Jy/pixel", with_start_model,
    ),
    "absent mask beside an automask": (
        {"mask": "absent.mask", "usemask": "auto-multithresh"}, None, "mask='absent.mask' has no effect", None,
    ),
    "mask beside that of the primary beam": (
        {"mask": CENTRE, "usemask": "pb"}, None, "has no effect with usemask='pb'", None,
    ),
    "rest frequency without a unit": (
        {**CUBE, "nchan": 3, "restfreq": ["230.5e9"]}, None, "restfreq='230.5e9' has no unit", None,
    ),
    "rest frequency that is a number": (
        {**CUBE, "nchan": 3, "restfreq": 230.5e9}, None, "restfreq=230500000000.0 has no effect", None,
    ),
    "first channel beyond the data": (
        {**CUBE, "nchan": 3, "start": 50, "width": 1}, None, "start=50 is no channel of the selected data", None,
    ),
    "channels beyond the data": (
        {**CUBE, "nchan": 14, "start": 0, "width": 1}, "PSF is blank", "2 of the 14 channels of 'img' are blank", None,
    ),
    "planes without correlations": (
        {"stokes": "IQUV"}, None, "U, V of 'img' is blank, as the data lack correlations", None,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WARNED)
def test_where_tclean_warns_and_goes_on_pclean_does(
    oracles: dict[str, Oracle], folders: dict[str, Path], case: str
) -> None:
    changes, theirs, ours, prepare = WARNED[case]
    refusals = 0
    for task, text in (("tclean", theirs), ("pclean", ours)):
        if prepare is not None:
            prepare(folders[task])
        value, error, warnings = oracles[task].call(task, folders[task], {**GOOD, "imsize": 32, **changes, "niter": 2})
        assert text is None or sum(text in line for line in warnings) >= 1, warnings
        if case == "start model in Jy/beam" and error:  # casatools 6.7.6 refuses it
            assert "not in units of Jy/pixel" in error
            refusals += 1
            continue
        assert error == ""
        assert "iterdone" in value
        assert products(folders[task], "img")
    assert refusals in (0, 2), "one of the two tasks alone refuses it"


def test_a_call_without_cause_is_not_warned_of(oracles: dict[str, Oracle], folders: dict[str, Path]) -> None:
    for task in ("tclean", "pclean"):
        assert oracles[task].call(task, folders[task], GOOD)[2] == []
        near = {**GOOD, "imagename": "near", "mask": "circle[[16pix,16pix],5pix]"}
        assert oracles[task].call(task, folders[task], near)[2] == []


SMALLER = "is smaller than smallest original channel width which is 999989 Hz"
# What CASA refuses of a cube's axis -> the reason, which it has in its log alone, or in its own error.
AXES: list[tuple[Params, str]] = [
    ({"start": "229.999GHz", "width": "0.9MHz"}, f"Requested new channel width (900000 Hz) {SMALLER}"),
    ({"start": 2, "width": "1Hz"}, "Cannot mix start and width with different unit types"),
    ({"start": "", "width": "999kHz"}, f"Requested new channel width (999000 Hz) {SMALLER}"),
    ({"start": "229.999GHz", "width": "-0.5MHz"}, f"Requested new channel width (500000 Hz) {SMALLER}"),
    ({"start": "10km/s", "width": "1m/s", "restfreq": "230GHz"}, SMALLER),
    ({"start": "", "width": "-1.2km/s", "restfreq": "230GHz"}, f"{SMALLER} or 1303.43 m/s"),
    ({"start": "10km/s", "width": "1MHz"}, "Cannot mix start and width with different unit types"),
]


@pytest.mark.parametrize(("axis", "reason"), AXES, ids=label)
def test_error_has_the_reason_for_which_casa_refuses_an_axis(
    oracles: dict[str, Oracle], folders: dict[str, Path], axis: Params, reason: str
) -> None:
    cube = {**CUBE, "vis": "line.ms", "imsize": 32, "niter": 0, "nchan": 2, **axis}
    assert oracles["tclean"].call("tclean", folders["tclean"], cube)[1] != ""
    for run in ({}, {"parallel": True, "nworkers": 2}, {"engine": "ducc"}):
        error = oracles["pclean"].call("pclean", folders["pclean"], {**cube, **run})[1]
        kind = "WorkerError" if "parallel" in run else "ImagingError"
        told = error.partition(f"\npcleantask.errors.{kind}: ")[2].partition("--- there ---")[0]
        assert reason in told, error
        assert not re.search(r"\d\d:\d\d:\d\d\t|SEVERE|leap second", told, re.IGNORECASE)
        assert products(folders["pclean"], "img") == {}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"nworkers": 2}, "nworkers=2 has no effect without parallel=True"),
        ({"restfreq": "230.5"}, "restfreq='230.5' has no unit, and is taken for Hz"),
        ({"restfreq": ["115GHz", "230"]}, "restfreq='230' has no unit"),
        ({"restfreq": 1.4e9}, "restfreq=1400000000.0 has no effect, as it is a number"),
        ({"restfreq": "3mJy"}, "restfreq='3mJy' is neither a frequency nor a wavelength"),
        ({"usemask": "pb", "mask": ["", "here.mask"]}, "mask=['', 'here.mask'] has no effect with usemask='pb'"),
        ({"usemask": "auto-multithresh", "mask": "a"}, "has no effect with usemask='auto-multithresh'"),
        ({"nworkers": 2, "parallel": True}, ""),
        ({"restfreq": "230.538GHz"}, ""),
        ({"restfreq": ["115271.2MHz", "1.3 mm", "2.3e11Hz", ""]}, ""),
        ({"mask": "a"}, ""),
        ({"usemask": "pb", "mask": ""}, ""),
        ({"usemask": "auto-multithresh", "mask": []}, ""),
    ],
    ids=label,
)
def test_what_cannot_act_is_warned_of(changes: Params, message: str) -> None:
    found = cautions.of_parameters({**defaults(), **changes})
    assert len(found) == bool(message)
    assert message in "".join(found)


def test_workers_of_a_run_that_is_parallel_anyway_are_not_warned_of() -> None:
    values = {**defaults(), "nworkers": 2}
    assert cautions.of_parameters(values, in_mpi_job=True) == cautions.of_parameters(values, is_parallel=True) == []


def test_serial_cube_in_an_mpi_job_is_warned_of() -> None:
    """As tclean does under mpicasa."""
    values = {**defaults(), "specmode": "cube"}
    assert [text for text in cautions.of_parameters(values, in_mpi_job=True) if "parallel=False has no effect" in text]
    assert cautions.of_parameters({**values, "parallel": True}, in_mpi_job=True) == cautions.of_parameters(values) == []


def test_history_that_cannot_be_written_is_told_and_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("img.image", "img.psf"):
        with casa.tool("image") as image:
            image.fromshape(str(tmp_path / name), [4, 4, 1, 1])
    shutil.rmtree(tmp_path / "img.image" / "logtable")
    (tmp_path / "img.image" / "logtable").write_text("no table", encoding="utf-8")
    posted: list[tuple[str, ...]] = []
    monkeypatch.setattr(casa, "post", lambda *words: posted.append(words))
    write_history(str(tmp_path / "img"), {"niter": 5})
    ((text, priority),) = posted
    assert priority == "WARN"
    assert "The history of img.image can't be written" in text
    with casa.opened_image(str(tmp_path / "img.psf")) as image:
        assert any("niter" in line for line in image.history(list=False))
