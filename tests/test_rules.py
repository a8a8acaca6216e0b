"""Bad input raises a named error with the value and the way out, before any work, and leaves the disk as it was."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import pytest

from pcleantask import PcleanConfig, casa, inputs, pclean, rules
from pcleantask.errors import (
    ImagingError,
    MissingInputError,
    OutputError,
    ParameterError,
    ParameterTypeError,
    PcleanError,
    SelectionError,
    UnknownParameterError,
)
from tests.agreement.cases import CASES
from tests.agreement.cases.furnish import masks_in_many_forms
from tests.agreement.cases.table import CENTRE
from tests.refusals import label, refused

Params = dict[str, Any]

BRIGGSBWTAPER: Params = {"weighting": "briggsbwtaper"}
MTMFS: Params = {"deconvolver": "mtmfs"}
MVC: Params = {"specmode": "mvc", **MTMFS}

# (changes to a good call, the error, what its message says: the value, and the way out)
BAD_PARAMETERS: list[tuple[Params, type[PcleanError], tuple[str, ...]]] = [
    ({"vis": "absent.ms"}, MissingInputError, ("'absent.ms' is not there", "check the path")),
    ({"vis": ""}, MissingInputError, ("got ''", "give the path of a MeasurementSet")),
    ({"vis": []}, ParameterError, ("vis is empty", "give the path of a MeasurementSet")),
    ({"vis": "folder"}, MissingInputError, ("'folder' is not a MeasurementSet", "import it first")),
    ({"vis": "file.txt"}, MissingInputError, ("'file.txt' is not a MeasurementSet", "import it first")),
    ({"vis": "table"}, MissingInputError, ("'table' is a table, but not", "give the folder that importasdm")),
    ({"vis": "line.ms/SPECTRAL_WINDOW"}, MissingInputError, ("is a table, but not a MeasurementSet",)),
    ({"vis": ["line.ms", "absent.ms"]}, MissingInputError, ("'absent.ms' is not there", "check the path")),
    ({"vis": ["line.ms", "./line.ms"]}, ParameterError, ("'line.ms' more than once", "give each")),
    ({"vis": ["line.ms", "link.ms"]}, ParameterError, ("'line.ms' more than once, also as 'link.ms'", "give each")),
    ({"datacolumn": None}, ParameterTypeError, ("datacolumn must be", "got None")),
    ({"vis": ["line.ms"], "field": ["0", "1"]}, ParameterError, ("field has 2 entries for 1", "give one for all")),
    ({"nitter": 5}, UnknownParameterError, ("'nitter'", "did you mean 'niter'?")),
    ({"niter": "many"}, ParameterTypeError, ("niter must be an integer", "'many'")),
    ({"gain": [0.1]}, ParameterTypeError, ("gain must be a number", "[0.1]")),
    ({"restart": "yes"}, ParameterTypeError, ("restart must be True or False", "'yes'")),
    ({"vis": Path("line.ms")}, ParameterTypeError, ("vis must be the path", "line.ms")),
    ({"deconvolver": "hogbum"}, ParameterError, ("'hogbum'", "did you mean 'hogbom'?")),
    ({"stokes": "XY"}, ParameterError, ("'XY'", "stokes must be one of 'I'")),
    ({"robust": 2.5}, ParameterError, ("robust must be a number from -2 to 2", "2.5")),
    ({"imsize": 0}, ParameterError, ("imsize must be positive, got [0, 0]", "give pixels")),
    ({"imsize": [64, -8]}, ParameterError, ("imsize must be positive, got [64, -8]", "give pixels")),
    ({"imsize": [64, 64, 3]}, ParameterError, ("imsize must have one entry or two", "[64, 64, 3]")),
    ({"cell": "0.4"}, ParameterError, ("cell '0.4' has no unit of angle", "give a quantity")),
    ({"cell": ["0.4arcsec", "0.4m"]}, ParameterError, ("cell '0.4m' has no unit of angle", "give a quantity")),
    ({"cell": []}, ParameterError, ("cell must have one entry or two", "[]")),
    ({"mask": "absent.mask"}, MissingInputError, ("mask 'absent.mask' is not there", "give an image")),
    ({"mask": ["circle[[9pix,9pix],3pix]", "no.crtf"]}, MissingInputError, ("mask 'no.crtf'", "give an image")),
    ({"niter": -1}, ParameterError, ("niter must not be negative, got -1",)),
    ({"nsigma": -3.0}, ParameterError, ("nsigma must not be negative, got -3.0",)),
    ({"cyclefactor": -1.0}, ParameterError, ("cyclefactor must not be negative, got -1.0",)),
    ({"minpsffraction": -0.1}, ParameterError, ("minpsffraction must not be negative, got -0.1",)),
    ({"maxpsffraction": -0.1}, ParameterError, ("maxpsffraction must not be negative, got -0.1",)),
    ({"threshold": "deep"}, ParameterError, ("threshold 'deep' is no flux density", "such as '0.5mJy'")),
    ({"threshold": "5mK"}, ParameterError, ("threshold '5mK' is no flux density", "such as '0.5mJy'")),
    ({"threshold": [1.0]}, ParameterError, ("threshold [1.0] is no flux density", "such as '0.5mJy'")),
    ({"threshold": {"value": 1, "unit": "m"}}, ParameterError, ("'unit': 'm'} is no flux", "such as '0.5mJy'")),
    ({"gain": 0.0}, ParameterError, ("gain must be positive, got 0.0", "0.1 is usual")),
    ({"gain": -0.1}, ParameterError, ("gain must be positive, got -0.1", "0.1 is usual")),
    ({"nmajor": -2}, ParameterError, ("nmajor must be -1", "got -2")),
    ({**MTMFS, "nterms": 0}, ParameterError, ("nterms must be at least 1, got 0",)),
    ({**MTMFS, "specmode": "cube"}, ParameterError, ("specmode='cube'", "use specmode='mfs'")),
    ({**MTMFS, "specmode": "cubedata"}, ParameterError, ("specmode='cubedata'", "use specmode='mfs'")),
    (BRIGGSBWTAPER, ParameterError, ("specmode='mfs'", "use weighting='briggs'")),
    ({**BRIGGSBWTAPER, "specmode": "cont"}, ParameterError, ("specmode='mfs'", "use weighting='briggs'")),
    ({**BRIGGSBWTAPER, "specmode": "cube", "npixels": 3}, ParameterError, ("npixels=0, got 3",)),
    ({"imagename": ""}, ParameterError, ("imagename is empty", "give the name")),
    ({"imagename": "out/"}, ParameterError, ("'out/' is a folder", "add the name")),
    ({"imagename": ["a", "b"]}, ParameterError, ("must be one name, got ['a', 'b']", "outlierfile")),
    ({"imagename": "file.txt/img"}, OutputError, ("file.txt' is no folder that can be written", "choose another")),
    ({"imagename": "file.txt/deep/img"}, OutputError, ("file.txt' is no folder", "choose another place")),
    ({"imagename": "/proc/pclean-img"}, OutputError, ("imagename '/proc/pclean-img'",)),
    ({"interactive": True}, ParameterError, ("interactive", "usemask='auto-multithresh'")),
    ({"nworkers": -1}, ParameterError, ("nworkers", "-1", "not below 0")),
    ({"specmode": "mvc"}, ParameterError, ("specmode='mvc' needs deconvolver='mtmfs'", "deconvolver='hogbom'")),
    ({**MVC, "nterms": 1}, ParameterError, ("two terms or more", "nterms=1")),
    ({**MVC, "gridder": "mosaic", "conjbeams": True}, ParameterError, ("gridder='mosaic'", "set conjbeams=False")),
    ({**MVC, "gridder": "awproject", "wbawp": False}, ParameterError, ("gridder='awproject'", "set wbawp=True")),
    ({**MVC, "stokes": "IQ"}, ParameterError, ("one Stokes parameter a run", "stokes='IQ'", "run once for each")),
    ({**MVC, "facets": 2}, ParameterError, ("specmode='mvc'", "facets=2", "use 1")),
    ({**MVC, "startmodel": ["a", "b"]}, ParameterError, ("startmodel", "('a', 'b')", "use specmode='mfs'")),
    ({**MVC, "startmodel": "a"}, ParameterError, ("startmodel", "got 'a'", "use specmode='mfs'")),
    ({**MVC, "gridder": "mosaic", "psfphasecenter": 1}, ParameterError, ("psfphasecenter=1", "leave it empty")),
    ({"gridder": "awphpg"}, ParameterError, ("gridder='awphpg'", "use 'awproject'")),
    ({"nchan": 0, "specmode": "cube"}, ParameterError, ("nchan must be positive or -1, got 0",)),
    ({"nchan": -3, "specmode": "cube"}, ParameterError, ("nchan must be positive or -1, got -3",)),
    ({"facets": 0}, ParameterError, ("facets must be at least 1, got 0",)),
    ({"scales": [0, -6], "deconvolver": "multiscale"}, ParameterError, ("scales", "[0, -6]", "as [0, 6, 18]")),
    ({"restoringbeam": "round"}, ParameterError, ("restoringbeam 'round' is no beam", "give ''")),
    ({"restoringbeam": "2"}, ParameterError, ("restoringbeam '2' is no beam", "give ''")),
    ({"restoringbeam": ["2arcsec", "x"]}, ParameterError, ("['2arcsec', 'x'] is no beam", "give ''")),
    ({"restoringbeam": ["2arcsec"] * 4}, ParameterError, ("is no beam", "give ''")),
    *(
        ({"uvtaper": taper}, ParameterError, (f"uvtaper {taper!r} is no taper", "lambda, klambda or Mlambda", "arcsec"))
        for taper in (
            ["150m"],
            ["100"],
            ["1.5arcsec", "", ""],
            ["1.5arcsec", ""],
            ["", "1arcsec"],
            ["1arcsec", "200klambda"],
            ["200klambda", "1arcsec"],
            ["2arcsec", "1arcsec", "30"],
            ["2arcsec", "1arcsec", "10klambda"],
            ["0klambda"],
            ["2arcsec", "1arcsec", "30deg", "1"],
            ["200Klambda"],
            ["round"],
        )
    ),
    ({"outlierfile": "absent.txt"}, MissingInputError, ("outlierfile 'absent.txt' can't be read", "give the path")),
    ({"outlierfile": "folder"}, MissingInputError, ("outlierfile 'folder' can't be read", "give the path")),
    ({"outlierfile": "file.txt"}, ParameterError, ("file.txt, line 1", "expected name=value, got 'just words'")),
    ({"outlierfile": "bad-outliers.txt"}, ParameterError, ("line 2", "'[40,' is no value for imsize")),
    ({"outlierfile": "typo.txt"}, UnknownParameterError, ("'typo.txt': ", "'imsiez'; did you mean 'imsize'?")),
    ({"outlierfile": "choice.txt"}, ParameterError, ("'choice.txt': ", "'hogbum'; did you mean 'hogbom'?")),
    ({"outlierfile": "huge.txt"}, ParameterError, ("'huge.txt': nchan", "beyond 2147483647", "got 3000000000")),
    ({"outlierfile": "same.txt"}, ParameterError, ("imagename 'img' is that of 2 fields", "a name of its own")),
    ({"psfcutoff": 1.0}, ParameterError, ("psfcutoff must be below 1, got 1.0", "as 0.35")),
    ({"psfcutoff": -0.1}, ParameterError, ("psfcutoff must not be negative, got -0.1",)),
    ({"pblimit": 1.0}, ParameterError, ("pblimit must be below 1, got 1.0", "as 0.2")),
    ({"niter": 2**31}, ParameterError, ("niter must not be beyond 2147483647", "got 2147483648")),
    ({"cycleniter": -(2**31)}, ParameterError, ("cycleniter must not be beyond 2147483647", "got -2147483648")),
    ({"imsize": [64, 2**32]}, ParameterError, ("imsize must not be beyond 2147483647", "[64, 4294967296]")),
    *(
        ({name: math.nan}, ParameterError, (f"{name} must be a ", "got nan, which is no number"))
        for name in ("gain", "threshold", "nsigma", "cyclefactor", "minpsffraction", "pblimit", "smallscalebias")
    ),
    ({"scales": [0.0, math.nan]}, ParameterError, ("got [0.0, nan], which is no number",)),
    ({"imagename": "."}, ParameterError, ("'.' is a folder", "add the name")),
    ({"imagename": "new/.."}, ParameterError, ("'new/..' is a folder", "add the name")),
    ({"mask": "circle[[9pix,9pix],3pix"}, ParameterError, ("its brackets don't match", "give an image")),
    ({"mask": "circle[[9pix,9pix],3pix]]"}, ParameterError, ("its brackets don't match", "give an image")),
    ({"mask": "circel[[9pix,9pix],3pix]"}, ParameterError, ("'circel[[9pix", "one of circle, box", "give an image")),
    ({"mask": f"{CENTRE}\n{CENTRE}"}, ParameterError, ("it has several lines", "give a list")),
    ({"mask": "+circle[[9pix,9pix],3pix]"}, ParameterError, ("'+circle[[9pix", "must begin with one of circle")),
    ({"mask": "ann circle[[9pix,9pix],3pix]"}, ParameterError, ("'ann circle[[9pix", "must begin with one of circle")),
    ({"mask": "circle[[9pix,9],3pix]"}, ParameterError, ("9 has no unit, such as pix", "give an image")),
    ({"mask": "file.txt"}, MissingInputError, ("mask 'file.txt' is no region file", "give an image")),
    ({"mask": "folder"}, MissingInputError, ("mask 'folder' is no CASA image", "such as importfits")),
    ({"mask": "table"}, MissingInputError, ("mask 'table' is no CASA image", "such as importfits")),
    ({"startmodel": "absent.model"}, MissingInputError, ("startmodel 'absent.model' is not there", "check the path")),
    ({"startmodel": "folder"}, MissingInputError, ("startmodel 'folder' is no CASA image", "give one")),
    ({"startmodel": ["a", "b"]}, ParameterError, ("startmodel has 2 images for 1 Taylor term", "give one for each")),
    ({**MTMFS, "startmodel": ["", "", ""]}, ParameterError, ("3 images for 2 Taylor terms", "give one for each")),
    ({"vptable": "absent.tab"}, MissingInputError, ("vptable 'absent.tab' is not there", "check the path")),
    ({"vptable": "folder"}, MissingInputError, ("vptable 'folder' is no CASA table", "vpmanager.saveastable")),
    ({"calcpsf": False}, MissingInputError, ("calcpsf=False takes 'img.psf'", "image with calcpsf=True")),
    ({"calcpsf": False, **MTMFS}, MissingInputError, ("calcpsf=False takes 'img.psf.tt0'", "calcpsf=True")),
    ({"calcpsf": False, "parallel": True, "nworkers": 2, "specmode": "cube"}, MissingInputError, ("'img.psf'",)),
    ({"calcpsf": False, "parallel": True, "nworkers": 2}, MissingInputError, ("'img.psf'", "calcpsf=True")),
    ({"calcres": False, "niter": 5}, MissingInputError, ("calcres=False takes 'img.residual'", "calcres=True")),
    ({"calcres": False, "niter": 5, "restart": False}, MissingInputError, ("'img.residual'", "restart=True")),
    ({"cell": "-0.4arcsec"}, ParameterError, ("cell '-0.4arcsec' must be above zero", "such as '0.1arcsec'")),
    ({"cell": -0.4}, ParameterError, ("cell '-0.4arcsec' must be above zero", "such as '0.1arcsec'")),
    ({"cell": "0arcsec"}, ParameterError, ("cell '0arcsec' must be above zero", "such as '0.1arcsec'")),
    ({"datacolumn": "corected"}, ParameterError, ("got 'corected'", "did you mean 'corrected'?")),
    ({"datacolumn": "model"}, ParameterError, ("datacolumn must be 'corrected', 'data' or 'observed', got 'model'",)),
    ({"start": "abc", "specmode": "cube"}, ParameterError, ("start 'abc' is no channel", "give such as 5")),
    ({"width": "1arcsec", "specmode": "cube"}, ParameterError, ("width '1arcsec' is no channel", "give such as 5")),
    ({"npixels": -1}, ParameterError, ("npixels must not be negative, got -1",)),
    ({"facets": 33}, ParameterError, ("got facets=33 for imsize=[32, 32]", "1 is no facets")),
]

# Selections that can be parsed and select nothing, or that can't be parsed.
BAD_SELECTIONS: list[Params] = [
    {"field": "absent"}, {"field": "7"}, {"spw": "5"}, {"antenna": "XX99"}, {"antenna": "0&0"},
    {"scan": "99"}, {"timerange": "2001/01/01/00:00:00~2001/01/01/01:00:00"}, {"uvrange": ">900km"},
    {"intent": "CALIBRATE_BANDPASS*"}, {"observation": "7"}, {"spw": "0:1~~3"}, {"timerange": "noon"},
    {"uvrange": "far"}, {"scan": "a&b"},
]  # fmt: skip


# What CASA reads as regions.
GOOD_REGIONS = (
    "circle[[9pix,9pix],3pix]",
    "CIRCLE [[9pix, 9pix], 3pix] coord=J2000, label='x[y'",
    "ellipse[[10h00m00.0s, -25d00m00.0s], [3arcsec, 2arcsec], 30deg]",
    "annulus[[10:00:00.0, -25.00.00.0], [2pix, 4pix]], range=[1chan,3chan]",
    "-rotbox[[9pix,9pix],[4pix,4pix],0.5rad]",
    "poly[[4pix,4pix],[9pix,4pix],[9pix,9pix]], corr=[I], linewidth=2",
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line_ms: Path) -> Path:
    """A working folder with data, and with things that are no data."""
    casa.load()
    monkeypatch.chdir(tmp_path)
    for name in ("line.ms", "link.ms"):
        Path(name).symlink_to(line_ms)
    Path("folder").mkdir()
    Path("file.txt").write_text("just words\n", encoding="utf-8")
    Path("bad-outliers.txt").write_text("imagename=far\nimsize=[40,\n", encoding="utf-8")
    Path("typo.txt").write_text("imagename=far\nimsiez=[40,40]\n", encoding="utf-8")
    Path("choice.txt").write_text("imagename=far\ndeconvolver=hogbum\n", encoding="utf-8")
    Path("huge.txt").write_text("imagename=far\nnchan=3000000000\n", encoding="utf-8")
    Path("same.txt").write_text("imagename=./img\nimsize=16\n", encoding="utf-8")
    Path("one.crtf").write_text("#CRTFv0\ncircle[[9pix,9pix],3pix]\n", encoding="utf-8")
    with casa.tool("table") as table:
        table.create("table", {"A": {"valueType": "int"}})
        table.close()
    return tmp_path


@pytest.mark.parametrize(("changes", "kind", "parts"), BAD_PARAMETERS, ids=label)
def test_bad_parameter_raises_a_named_error_and_writes_nothing(
    folder: Path, changes: Params, kind: type[PcleanError], parts: tuple[str, ...]
) -> None:
    message = refused(folder, pclean, kind, **changes)
    for part in parts:
        assert part in message


@pytest.mark.parametrize("changes", BAD_SELECTIONS, ids=label)
def test_bad_selection_raises_selection_error_and_writes_nothing(folder: Path, changes: Params) -> None:
    message = refused(folder, pclean, SelectionError, **changes)
    assert repr(next(iter(changes.values()))) in message
    assert "selects nothing in 'line.ms'" in message
    assert "`listobs` lists what is there" in message


@pytest.mark.parametrize("changes", BAD_SELECTIONS[:3], ids=label)
def test_bad_selection_in_the_second_measurement_set_is_found(folder: Path, changes: Params, dataset: Any) -> None:
    Path("late.ms").symlink_to(dataset("late"))
    lists = {name: ["", text] for name, text in changes.items()}
    message = refused(folder, pclean, SelectionError, vis=["line.ms", "late.ms"], **lists)
    assert "'late.ms'" in message


@pytest.mark.parametrize("changes", [{"phasecenter": "nonsense"}, {"phasecenter": 99}, {"noise": "loud"}], ids=label)
def test_what_only_casa_can_judge_is_refused_without_a_trace_either(folder: Path, changes: Params) -> None:
    message = refused(folder, pclean, ImagingError, imagename="new/deep/img", **changes)
    assert "unfinished images" not in message


def test_products_of_a_run_before_survive_a_refused_one(folder: Path) -> None:
    good = {"vis": "line.ms", "imagename": "img", "imsize": 32, "cell": "0.4arcsec"}
    pclean(**good)
    assert Path("img.image").is_dir()
    refused(folder, pclean, ParameterError, gain=0.0)
    refused(folder, pclean, SelectionError, scan="99")
    refused(folder, pclean, ImagingError, phasecenter="nonsense")


# What a caller of the library may hand over that the task's own type check would stop.
WRONG_TYPES: list[tuple[Params, type[ParameterError]]] = [
    ({"niter": "5"}, ParameterTypeError),
    ({"niter": 5.5}, ParameterTypeError),
    ({"niter": None}, ParameterTypeError),
    ({"gain": "low"}, ParameterTypeError),
    ({"parallel": 1}, ParameterTypeError),
    ({"restart": None}, ParameterTypeError),
    ({"vis": 3}, ParameterTypeError),
    ({"vis": [3]}, ParameterTypeError),
    ({"vis": Path("line.ms")}, ParameterTypeError),
    ({"imsize": "64"}, ParameterTypeError),
    ({"imsize": [64.5]}, ParameterTypeError),
    ({"imsize": {"x": 64}}, ParameterTypeError),
    ({"cell": None}, ParameterTypeError),
    ({"scales": ["5"]}, ParameterTypeError),
    ({"uvtaper": [5]}, ParameterTypeError),
    ({"mask": 3}, ParameterTypeError),
    ({"startmodel": None}, ParameterTypeError),
    ({"phasecenter": 1.5}, ParameterTypeError),
    ({"specmode": 3}, ParameterTypeError),
    ({"imagename": None}, ParameterTypeError),
    ({"threshold": None}, ParameterTypeError),
    ({"specmode": "cubes"}, ParameterError),
    ({"engine": "gpu"}, ParameterError),
    ({"robust": -2.01}, ParameterError),
    ({"nworkers": -1}, ParameterError),
    ({"nitter": 5}, UnknownParameterError),
]


@pytest.mark.parametrize(("changes", "kind"), WRONG_TYPES, ids=label)
def test_library_raises_the_errors_of_the_task(folder: Path, changes: Params, kind: type[ParameterError]) -> None:
    message = refused(folder, PcleanConfig.from_parameters, kind, **changes)
    assert message == refused(folder, pclean, kind, **changes)
    assert next(iter(changes)) in message


@pytest.mark.parametrize(
    "changes",
    [
        {"threshold": 0.001},
        {"threshold": "1mJy"},
        {"threshold": "0.3"},
        {"threshold": " 1.5e-3 Jy/beam"},
        {"threshold": {"value": 1.0, "unit": "mJy"}},
        {"uvtaper": []},
        {"uvtaper": ["", "", ""]},
        {"uvtaper": ["200 klambda"]},
        {"uvtaper": ["0.2Mlambda", "2e5lambda", "-30deg"]},
        {"uvtaper": ['1.5"', "1500mas"]},
        {"restoringbeam": ""},
        {"restoringbeam": "common"},
        {"restoringbeam": ["common"]},
        {"restoringbeam": ["2arcsec", "1arcsec", "-30deg"]},
        {"restoringbeam": "1.5arcsec"},
        {"cell": "4mas"},
        {"cell": ".1arcmin"},
        {"mask": "circle[[9pix,9pix],3pix]"},
        {"mask": ["circle[[9pix,9pix],3pix]", "one.crtf"]},
        {"mask": "$HERE/one.crtf"},
        *({"mask": text} for text in GOOD_REGIONS),
        {"niter": 2**31 - 1},
        {"restfreq": [230538000000]},
        {"width": "-5 km/s", "specmode": "cube"},
        {"start": "1.4e3MHz", "width": "", "specmode": "cube"},
        {"start": "unused"},
        {"datacolumn": "observed"},
        {"pblimit": -0.1},
        {"psfcutoff": 0.99},
        {"mask": "absent.mask", "usemask": "pb"},
        {"imagename": "new/folder/img"},
        {"nmajor": 0},
        {"nchan": -1},
        {"nterms": 0},
        {"start": 3},
        {"start": "3"},
        {"start": {"value": 230.0, "unit": "GHz"}},
        {"observation": 0},
    ],
    ids=label,
)
def test_good_parameter_passes_all_rules(folder: Path, monkeypatch: pytest.MonkeyPatch, changes: Params) -> None:
    """So that the rules are no stricter than they should be."""
    monkeypatch.setenv("HERE", str(folder))
    good = {"vis": "line.ms", "imagename": "img", "imsize": 32, "cell": "0.4arcsec"}
    assert PcleanConfig.from_parameters(**{**good, **changes}).fields[0].imsize == (32, 32)


def test_masks_of_the_agreement_table_pass_all_rules(folder: Path) -> None:
    masks_in_many_forms(folder)
    for name in ("region.crtf", "boxes.crtf"):
        Path(name).write_text("#CRTFv0\n", encoding="utf-8")
    given = [call["mask"] for case in CASES for call in case.calls if call.get("mask") and not case.refused]
    masks = [mask for entry in given for mask in ([entry] if isinstance(entry, str) else entry)]
    masks = [mask for mask in masks if mask != "first.mask"]  # this a call before makes
    assert len({mask for mask in masks if "[" in mask}) > 5
    assert len({mask for mask in masks if "[" not in mask}) > 10
    for mask in masks:
        inputs.check_mask(mask)


def test_folder_without_permission_to_write_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's answer is put in its mouth, as it never refuses root, who may be running this."""
    monkeypatch.setattr(os, "access", lambda *_arguments: False)
    with pytest.raises(OutputError, match="is no folder that can be written; choose another place"):
        rules.check_output("img")


def test_measurement_set_that_cannot_be_written_is_refused_before_a_model_is_saved_in_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The system's answer is put in its mouth here, too."""
    good = {"vis": "line.ms", "imagename": "img", "cell": "0.4arcsec"}
    assert PcleanConfig.from_parameters(**good, savemodel="modelcolumn").run.savemodel == "modelcolumn"
    monkeypatch.setattr(os, "access", lambda path, _mode: "line.ms" not in str(path))
    with pytest.raises(OutputError, match=r"'modelcolumn' writes to vis 'line\.ms', which can't .* savemodel='none'"):
        PcleanConfig.from_parameters(**good, savemodel="modelcolumn")
    assert PcleanConfig.from_parameters(**good).run.savemodel == "none"


def test_home_and_variables_are_put_into_paths_as_casa_does(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("PLACE", str(folder))
    for name in ("one.model", "one.mask"):
        with casa.tool("image") as image:
            image.fromshape(name, [4, 4, 1, 1])
    Path("out.txt").write_text("imagename=$PLACE/far\nmask=~/one.mask\nimsize=16\n", encoding="utf-8")
    config = PcleanConfig.from_parameters(
        vis="line.ms", imagename="~/img", cell="0.4arcsec", outlierfile="out.txt", startmodel="$PLACE/one.model",
        mask=["~/one.mask", "circle[[9pix,9pix],3pix]"], vptable="~/table", cfcache="${PLACE}/cache.cf",
    )  # fmt: skip
    main, far = config.fields
    assert main.imagename == f"{folder}/img"
    assert far.imagename == f"{folder}/far"
    assert main.startmodel == f"{folder}/one.model"
    assert main.mask == (f"{folder}/one.mask", "circle[[9pix,9pix],3pix]")
    assert far.mask == f"{folder}/one.mask"
    assert (config.gridding.vptable, config.gridding.cfcache) == (f"{folder}/table", f"{folder}/cache.cf")
