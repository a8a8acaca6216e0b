"""The records for casatools' tools equal, key by key, those that tclean makes of the same parameters.

tclean itself makes them: it is stopped where it hands its ImagerParameters to its imager.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pcleantask import casa
from pcleantask.config import PcleanConfig
from pcleantask.parameters import defaults
from pcleantask.toolrecords import ToolRecords, to_casa_selpars, tool_records
from tests.agreement.cases.installed import has_gridder

Params = dict[str, Any]

OUTLIERS = """#CASA outliers
imagename=far
imsize=[40,32]
cell=[8.0arcsec,4.0arcsec]
phasecenter=J2000 10h00m50.4s -24d44m50.0s
mask=circle[[20pix,20pix],8pix]

#another
imagename=near
imsize=[64,64]
cell=[4.0arcsec,4.0arcsec]
phasecenter=J2000 10h00m10.4s -24d44m50.0s
nterms=1
deconvolver=clark
gridder=wproject
wprojplanes=4
usemask=pb
"""
NON_DEFAULT: Params = {
    "specmode": "cube", "nchan": 5, "start": "230.001GHz", "width": "1.5MHz", "outframe": "BARY", "veltype": "optical",
    "restfreq": ["230.538GHz"], "interpolation": "nearest", "perchanweightdensity": False, "field": "0",
    "spw": "0:1~9", "timerange": ">09:00:00", "uvrange": ">10m", "antenna": "!0", "scan": "1", "observation": "0",
    "datacolumn": "data", "imsize": [64, 48], "cell": ["0.4arcsec", "0.5arcsec"], "stokes": "XX", "projection": "TAN",
    "phasecenter": "ICRS 10h00m00.1s -25d00m00.1s", "startmodel": "start.model", "gridder": "awproject", "facets": 2,
    "psfphasecenter": 1, "wprojplanes": 8, "vptable": "pb.tab", "aterm": False, "psterm": True, "wbawp": False,
    "conjbeams": True, "cfcache": "my.cf", "usepointing": True, "computepastep": 5.0, "rotatepastep": 6.0,
    "pointingoffsetsigdev": [20.0, 30.0], "pblimit": 0.1, "normtype": "flatsky", "deconvolver": "multiscale",
    "scales": [0, 4, 9], "smallscalebias": 0.3, "restoration": False, "restoringbeam": ["2arcsec", "1arcsec", "3deg"],
    "pbcor": True, "weighting": "briggs", "robust": -0.7, "noise": "0.4Jy", "npixels": 3,
    "uvtaper": ["5klambda", "3klambda", "10deg"], "niter": 77, "gain": 0.3, "threshold": "0.4mJy", "nsigma": 2.5,
    "cycleniter": 11, "cyclefactor": 1.7, "minpsffraction": 0.07, "maxpsffraction": 0.6, "nmajor": 4,
    "fullsummary": True, "pbmask": 0.3, "mask": ["circle[[5pix,5pix],3pix]", "circle[[9pix,9pix],2pix]"],
    "sidelobethreshold": 2.0, "noisethreshold": 4.0, "lownoisethreshold": 2.5, "negativethreshold": 1.0,
    "smoothfactor": 1.5, "minbeamfrac": 0.2, "cutthreshold": 0.02, "growiterations": 9, "dogrowprune": False,
    "minpercentchange": 0.5, "verbose": True, "fastnoise": False, "restart": False, "savemodel": "virtual",
    "calcres": False, "calcpsf": False, "psfcutoff": 0.5, "fusedthreshold": 0.2, "largestscale": 7,
}  # fmt: skip

CASES: dict[str, Params] = {
    "defaults": {},
    "one-number-for-both-axes": {"imsize": 64, "cell": "0.4arcsec"},
    "two-numbers": {"imsize": [64, 48], "cell": ["0.4arcsec", "0.3arcsec"]},
    "cube-non-default": NON_DEFAULT,
    "cube-channels": {"specmode": "cube", "nchan": 4, "start": 2, "width": 2, "restfreq": "230.1GHz"},
    "cube-quantities": {"specmode": "cube", "start": {"value": 230.001, "unit": "GHz"}, "width": "2km/s"},
    "cubedata": {"specmode": "cubedata", "start": "230.002GHz"},
    "cubesource": {"specmode": "cubesource", "outframe": "REST"},
    "cont": {"specmode": "cont", "perchanweightdensity": True},
    "mtmfs": {"deconvolver": "mtmfs", "nterms": 3, "scales": [0, 6], "reffreq": "230.01GHz", "niter": 10},
    "mtmfs-start-models": {"deconvolver": "mtmfs", "startmodel": ["a.tt0", "a.tt1"]},
    "mosaic": {"gridder": "mosaic", "usepointing": True, "conjbeams": True, "normtype": "flatsky"},
    "mosaic-own-weight": {"gridder": "mosaic", "mosweight": False},
    "awp2": {"gridder": "awp2"},
    "awproject-with-cache": {"gridder": "awproject", "cfcache": "my.cf"},
    "masks-list": {"mask": ["circle[[5pix,5pix],3pix]", "circle[[9pix,9pix],2pix]"]},
    "pb-mask": {"usemask": "pb", "pbmask": 0.4},
    "auto": {"usemask": "auto-multithresh", "niter": 9},
    "threshold-number": {"threshold": 0.002, "niter": 5},
    "threshold-record": {"threshold": {"value": 1.5, "unit": "mJy"}, "niter": 5},
    "numpy-numbers": {"niter": np.int64(9), "gain": np.float64(0.2), "imsize": np.array([64, 48]), "robust": 1},
    "intent": {"intent": "OBSERVE_TARGET#ON_SOURCE"},
    "common-beam": {"restoringbeam": "common"},
    "one-taper": {"uvtaper": "5klambda"},
    **{
        f"weighting-{kind}": {"weighting": kind, "robust": 0.3, "noise": "0.2Jy"}
        for kind in ("natural", "uniform", "briggs", "briggsabs", "radial", "superuniform")
    },
    "weighting-briggsbwtaper": {"weighting": "briggsbwtaper", "specmode": "cube", "robust": 0.3},
    "weighting-superuniform-npixels": {"weighting": "superuniform", "npixels": 7},
    **{
        f"cycleniter-{cycleniter}-of-{niter}": {"cycleniter": cycleniter, "niter": niter}
        for cycleniter, niter in ((-1, 50), (0, 50), (20, 50), (50, 50), (51, 50), (-1, 0), (20, 0))
    },
    "outliers": {"outlierfile": "outliers.txt", "niter": 20, "nterms": 2},
    "outliers-not-restarted": {"outlierfile": "outliers.txt", "restart": False},
}
CASES = {name: parameters for name, parameters in CASES.items() if has_gridder(parameters)}
LATE = {
    f"late-{savemodel}-{name}": {"savemodel": savemodel, **how}
    for savemodel in ("modelcolumn", "virtual")
    for name, how in {
        "auto": {"usemask": "auto-multithresh", "niter": 5},
        "nsigma": {"nsigma": 3.0, "niter": 5},
    }.items()
}
NOT_LATE = {
    "not-late-foreseen": {"savemodel": "modelcolumn", "niter": 5},
    "not-late-none": {"savemodel": "none", "nsigma": 3.0, "niter": 5},
}


class HandedOverError(Exception):
    """Ends a call of tclean; carries its ImagerParameters."""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with the files that the cases name."""
    casa.load()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "outliers.txt").write_text(OUTLIERS, encoding="utf-8")
    for name in ("start.model", "a.tt0", "a.tt1"):
        with casa.tool("image") as image:
            image.fromshape(name, [4, 4, 1, 1])
    with casa.tool("table") as table:
        table.create("pb.tab", {"A": {"valueType": "int"}})
        table.close()
    return tmp_path


@pytest.fixture
def tclean_parameters(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """tclean_parameters(**parameters) is the ImagerParameters that tclean makes of them."""
    import casatasks
    from casatasks.private import task_tclean

    def stop(params: Any) -> None:
        raise HandedOverError(params)

    monkeypatch.setattr(task_tclean, "PySynthesisImager", stop)

    def call(**parameters: Any) -> Any:
        with pytest.raises(HandedOverError) as caught:
            casatasks.tclean(**parameters)
        return caught.value.args[0]

    return call


NEWER = ("makesingledishnormalizer", "calcres", "calcpsf")  # entries of normpars since casatasks 6.7.5


def plain(key: str, value: Any) -> Any:
    """A value without the differences in form that mean nothing to the tools.

    - imsize and cell: a single entry stands for both axes (SynthesisParamsImage::fromRecord).
    - numpy's numbers and arrays are Python's.
    """
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if key in ("imsize", "cell"):
        entries = value if isinstance(value, list) else [value]
        return entries * 2 if len(entries) == 1 else entries
    return value


def normal(record: Any) -> Params:
    return {key: plain(key, value) for key, value in record.items()}


def ours(parameters: Params) -> tuple[PcleanConfig, ToolRecords]:
    config = PcleanConfig.from_parameters(**parameters)
    return config, tool_records(config)


def assert_equal_records(found: Any, expected: Any, what: str) -> None:
    assert [normal(record) for record in found] == [normal(record) for record in expected], what
    for mine, theirs in zip(found, expected, strict=True):
        for key, value in theirs.items():
            assert isinstance(value, bool) == isinstance(mine[key], bool), (what, key)  # True == 1 would pass


@pytest.mark.parametrize("name", [*CASES, *LATE, *NOT_LATE])
def test_records_are_those_of_tclean(name: str, line_ms: Path, tclean_parameters: Callable[..., Any]) -> None:
    parameters = {"vis": str(line_ms), "imagename": "img", "cell": "0.4arcsec", **(CASES | LATE | NOT_LATE)[name]}
    _, found = ours(parameters)
    expected = tclean_parameters(**parameters)

    def fields(records: dict[str, Params]) -> list[Params]:
        return [records[key] for key in sorted(records, key=int)]

    assert_equal_records(found.selpars, list(expected.getSelPars().values()), "selpars")
    assert_equal_records(found.impars, fields(expected.getImagePars()), "impars")
    assert_equal_records(found.gridpars, fields(expected.getGridPars()), "gridpars")
    normpars = fields(expected.getNormPars())
    known = [{key: value for key, value in record.items() if key in normpars[0] or key not in NEWER}
             for record in found.normpars]  # fmt: skip
    assert_equal_records(known, normpars, "normpars")
    assert_equal_records(found.decpars, fields(expected.getDecPars()), "decpars")
    assert_equal_records([found.weightpars], [expected.getWeightPars()], "weightpars")
    assert_equal_records([found.iterpars], [expected.getIterPars()], "iterpars")
    assert len(found.impars) == (3 if "outlierfile" in parameters else 1)


@pytest.mark.parametrize("name", LATE)
def test_records_for_the_late_model_are_those_of_tclean(
    name: str, line_ms: Path, tclean_parameters: Callable[..., Any]
) -> None:
    parameters = {"vis": str(line_ms), "imagename": "img", "cell": "0.4arcsec", **LATE[name]}
    config, _ = ours(parameters)
    expected = tclean_parameters(**parameters)
    expected.resetParameters()
    found = to_casa_selpars(config, late_model=True)
    assert_equal_records(found, list(expected.getSelPars().values()), "selpars")
    assert found[0]["readonly"] is False
    assert found[0]["usescratch"] is (config.run.savemodel == "modelcolumn")


def test_several_measurement_sets_come_in_time_order_with_their_selections(
    dataset: Callable[[str], Path], tclean_parameters: Callable[..., Any]
) -> None:
    late, early = str(dataset("late")), str(dataset("line"))
    parameters = {
        "vis": [late, early],
        "imagename": "img",
        "cell": "0.4arcsec",
        "spw": ["0:1~4", "0:2~7"],
        "field": "0",
        "scan": ["1", ""],
        "antenna": ["0~7", "!0"],
    }
    _, found = ours(parameters)
    expected = tclean_parameters(**parameters).getSelPars()
    assert_equal_records(found.selpars, [expected["ms0"], expected["ms1"]], "selpars")
    assert [record["msname"] for record in found.selpars] == [early, late]
    assert [record["antenna"] for record in found.selpars] == ["!0", "0~7"]


def test_number_of_an_observation_acts_as_its_text(line_ms: Path) -> None:
    """tclean's definition admits a number, on which tclean then fails ("obs must be a string")."""
    parameters = {"vis": str(line_ms), "imagename": "img", "cell": "0.4arcsec"}
    assert ours({**parameters, "observation": 0})[1] == ours({**parameters, "observation": "0"})[1]


def test_selection_acts_whatever_selectdata_says_as_in_tclean(
    line_ms: Path, tclean_parameters: Callable[..., Any]
) -> None:
    parameters = {"vis": str(line_ms), "imagename": "img", "cell": "0.4arcsec", "spw": "0:1~9", "selectdata": False}
    assert tclean_parameters(**parameters).getSelPars()["ms0"]["spw"] == "0:1~9"
    assert ours(parameters)[1].selpars[0]["spw"] == "0:1~9"


def test_convolution_function_cache_stands_beside_the_products(line_ms: Path) -> None:
    """As initializeImagers of casatasks' imager_base.py has it, after the records are made."""
    parameters = {"vis": str(line_ms), "imagename": "img", "cell": "0.4arcsec", "gridder": "awproject"}
    assert ours(parameters)[1].gridpars[0]["cfcache"] == "img.cf"
    assert ours({**parameters, "cfcache": "my.cf"})[1].gridpars[0]["cfcache"] == "my.cf"


def test_records_bear_the_names_at_which_products_are_made(line_ms: Path) -> None:
    parameters = {"vis": str(line_ms), "imagename": "img", "cell": "0.4arcsec", "outlierfile": "outliers.txt"}
    config, _ = ours(parameters)
    records = tool_records(config, ("w/img", "w/far", "w/near"))
    for part in (records.impars, records.gridpars, records.normpars, records.decpars):
        assert [record["imagename"] for record in part] == ["w/img", "w/far", "w/near"]
    assert [image["imagename"] for image in records.iterpars["allimages"].values()] == ["w/img", "w/far", "w/near"]


def test_every_parameter_is_tried_with_a_value_that_is_not_its_default() -> None:
    """So that no key of a record can be wired to the wrong parameter unseen."""
    tried = {name for case in (CASES | LATE).values() for name, value in case.items()}
    changed = {name for name in NON_DEFAULT if NON_DEFAULT[name] != defaults()[name]}
    elsewhere = {"reffreq", "nterms", "mosweight", "usemask", "outlierfile", "intent"}
    own = {"nworkers", "engine", "resume", "automaskengine"}
    untried = {"vis", "imagename", "selectdata", "interactive", "parallel", *own}
    assert changed == set(NON_DEFAULT)
    assert elsewhere <= tried
    assert changed | elsewhere | untried == set(defaults())
