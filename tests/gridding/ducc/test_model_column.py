"""MODEL_DATA with engine='ducc': the Fourier sums of the models on disk, at all selected rows and channels."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pcleantask import casa, pclean
from pcleantask.gridding.ducc import gridder
from tests.agreement.runner import Call, TaskProcess
from tests.gridding.dirty import CUBE, DIRTY, MFS, NAME
from tests.gridding.saved import Model, Saved, saved_in

OF_PEAK = 1e-5  # the largest error of a prediction
GRIDDED = 1e-2  # of the peak, that CASA's may be off, where most are by some 2e-3: its degridding
EXTRAPOLATED = 5  # times that in channels that are extrapolated from two of the image's
PROJECTED = 0.2  # with gridder='wproject', where most are by some 0.05
TELLING = 1e-3  # of the peak: what must be missed where a part of a prediction is left out
CLEAN = {"niter": 40, "weighting": "briggs"}
SHIFTED = {"phasecenter": "J2000 10h00m00.2s -25d00m02.0s", "gridder": "wproject", "wprojplanes": 16}
AFTERWARDS = {"niter": 0, "calcres": False, "calcpsf": False, "restoration": False, "savemodel": "modelcolumn"}
WIDE = {
    **DIRTY, "vis": "wide.ms", "specmode": "mfs", "imsize": 480, "cell": "5arcsec", "gridder": "wproject",
    "wprojplanes": 128,
}  # fmt: skip
CUBEDATA = {"specmode": "cubedata", "start": 2, "width": 1, "nchan": 4}
CASES: dict[str, dict[str, Any]] = {
    "mfs": MFS,
    "mfs-wide": WIDE,
    "mfs-shifted": {**MFS, **SHIFTED},
    "several-fields": {**MFS, **SHIFTED, "vis": "mosaic.ms", "imsize": 200},
    "mtmfs": {**MFS, "deconvolver": "mtmfs", "nterms": 2},
    "several-data": {**MFS, "vis": ["continuum.ms", "corrected.ms"]},
    "stokes": {**MFS, "vis": "full_stokes.ms", "stokes": "IQUV"},
    "stokes-some": {**MFS, "vis": "full_stokes.ms", "stokes": "IV"},
    "correlation": {**MFS, "vis": "full_stokes.ms", "stokes": "YY"},
    "one-hand": {**MFS, "vis": "one_hand.ms"},
    "mfs-sidebands": {**MFS, "vis": "sidebands.ms"},
    "mtmfs-sidebands": {**MFS, "vis": "sidebands.ms", "deconvolver": "mtmfs", "nterms": 2},
    "cube": CUBE,
    "cube-lower": {**CUBE, "vis": "lower.ms"},
    "cube-lower-falling": {**CUBE, "vis": "lower.ms", "start": "230.008GHz", "width": "-2.5MHz", "nchan": 3},
    "cube-shifted": {**CUBE, **SHIFTED},
    "cube-coarse": {**CUBE, "width": "2.5MHz", "nchan": 3},
    "cube-nearest": {**CUBE, "interpolation": "nearest"},
    "cube-one-channel": {**CUBE, "start": "230.004GHz", "nchan": 1},
}


def names_of(parameters: dict[str, Any]) -> list[str]:
    return [parameters["vis"]] if isinstance(parameters["vis"], str) else parameters["vis"]


def flag_some(vis: str) -> None:
    """Flag a whole row in seven, a channel of one in five, and by FLAG_ROW alone one in eleven."""
    with casa.opened_table(vis, writable=True) as table:
        flags, rows = table.getcol("FLAG"), table.getcol("FLAG_ROW")
        flags[..., ::7] = True
        flags[:, 1, ::5] = True
        rows[::11] = True
        table.putcol("FLAG", flags)
        table.putcol("FLAG_ROW", rows)


def fill(vis: str, value: complex) -> None:
    """Have one number all over MODEL_DATA, if there is such a column."""
    with casa.opened_table(vis, writable=True) as table:
        if "MODEL_DATA" in table.colnames():
            table.putcol("MODEL_DATA", np.full_like(table.getcol("MODEL_DATA"), value))


@pytest.fixture
def cleaned(dataset: Callable[[str], Path], tmp_path: Path, monkeypatch) -> Callable[..., dict[str, Any]]:
    """cleaned(parameters) images flagged copies of data in `tmp_path` with ducc; what it is called with."""
    monkeypatch.chdir(tmp_path)

    def made(parameters: dict[str, Any], **changes: Any) -> dict[str, Any]:
        for name in names_of(parameters):
            shutil.copytree(dataset(name.removesuffix(".ms")), name)
            flag_some(name)
        call = {**parameters, **CLEAN, **changes, "engine": "ducc"}
        pclean(**call)
        return call

    return made


def paths(parameters: dict[str, Any], name: str = NAME) -> list[str]:
    """Where the images of the model are."""
    if parameters.get("deconvolver") == "mtmfs":
        return [f"{name}.model.tt{term}" for term in range(parameters["nterms"])]
    return [f"{name}.model"]


def truth(parameters: dict[str, Any], data: Saved, model: Model, **changes: Any) -> np.ndarray:
    wide = {"wide": "gridder" in parameters, **changes}["wide"]
    if parameters["specmode"] == "mfs":
        return model.continuum(data, wide)
    single = len(model.frequency) == 1
    return model.cube(data, wide, "nearest" if single else parameters["interpolation"])


def all_saved(parameters: dict[str, Any]) -> list[Saved]:
    return [found for name in names_of(parameters) for found in saved_in(name)]


@pytest.mark.parametrize("parameters", [pytest.param(row, id=name) for name, row in CASES.items()])
def test_saved_model_is_the_fourier_sum(
    parameters: dict[str, Any], cleaned: Callable[..., dict[str, Any]], tclean: TaskProcess, tmp_path: Path
) -> None:
    """Flagged or not. tclean's, of the same model, is within the error of its degridding; at flagged data it has 0."""
    call = {**cleaned(parameters), **AFTERWARDS}
    model = Model.read(paths(parameters))
    assert pclean(**call)["engine"] == "ducc"
    ours = all_saved(parameters)
    for name in names_of(parameters):
        fill(name, 9)
    del call["engine"]
    if "phasecenter" in call:
        call["gridder"] = "standard"  # so small a field needs no w, and CASA is nearer to the truth without
    outcome = tclean.run([Call("tclean", call)], tmp_path)[-1]
    assert not outcome.error, outcome.error
    theirs = all_saved(parameters)
    expected = [truth(parameters, data, model) for data in ours]
    peak = max(np.nanmax(abs(values)) for values in expected)
    errors = {"ducc": 0.0, "CASA": 0.0, "of each other": 0.0}
    for values, our, their in zip(expected, ours, theirs, strict=True):
        assert np.isfinite(values).any()
        errors["ducc"] = max(errors["ducc"], np.nanmax(abs(our.model - values)))
        errors["CASA"] = max(errors["CASA"], np.nanmax(np.where(our.flagged, 0, abs(their.model - values))))
        apart = abs(our.model - their.model) / np.where(np.isfinite(values), 1, EXTRAPOLATED)
        errors["of each other"] = max(errors["of each other"], apart[~our.flagged].max())
        assert our.flagged.any()
        assert not their.model[their.flagged].any()
    sys.stdout.write(f"of the peak, {peak:.2f}: { {name: f'{error / peak:.1e}' for name, error in errors.items()} }\n")
    assert peak > 0.15
    assert errors["ducc"] < OF_PEAK * peak
    assert errors["of each other"] < (PROJECTED if call.get("gridder") == "wproject" else GRIDDED) * peak


def test_the_term_in_w_counts(cleaned: Callable[..., dict[str, Any]]) -> None:
    pclean(**{**cleaned(WIDE), **AFTERWARDS})
    [ours], model = saved_in("wide.ms"), Model.read(paths(WIDE))
    assert abs(ours.model - truth(WIDE, ours, model, wide=False)).max() > TELLING * abs(ours.model).max()


def test_the_second_taylor_term_counts(cleaned: Callable[..., dict[str, Any]]) -> None:
    parameters = CASES["mtmfs"]
    pclean(**{**cleaned(parameters), **AFTERWARDS})
    first = Model.read(paths(parameters)[:1])
    for ours in saved_in("continuum.ms"):
        assert abs(ours.model - truth(parameters, ours, first)).max() > TELLING * abs(ours.model).max()


@pytest.mark.parametrize("case", ["mfs", "mtmfs", "stokes", "cube", "cube-nearest", "cube-coarse", "cube-shifted"])
def test_what_the_saved_model_leaves_is_the_residual(case: str, cleaned: Callable[..., dict[str, Any]]) -> None:
    """The model is saved by the last major cycle; data less the model, imaged anew, are its residual."""
    parameters = CASES[case]
    call = cleaned(parameters, savemodel="modelcolumn", restoration=False)
    suffix = ".residual.tt0" if case == "mtmfs" else ".residual"
    with casa.opened_image(NAME + suffix) as image:
        residual = image.getchunk()
    with casa.opened_image(paths(parameters)[0]) as image:
        assert image.getchunk().max() > 0.1
    with casa.opened_table(names_of(parameters)[0], writable=True) as table:
        table.putcol("DATA", table.getcol("DATA") - table.getcol("MODEL_DATA"))
    pclean(**{**call, "imagename": "again", "niter": 0, "savemodel": "none"})
    with casa.opened_image("again" + suffix) as image:
        again = image.getchunk()
    assert abs(residual).max() > 1e-3
    assert abs(residual - again).max() < OF_PEAK


@pytest.mark.parametrize("changes", [{"nsigma": 2.0}, {"niter": 0, "calcres": False, "calcpsf": False}], ids=str)
def test_model_is_saved_late_or_without_a_cycle(
    changes: dict[str, Any], cleaned: Callable[..., dict[str, Any]]
) -> None:
    call = cleaned(MFS)
    pclean(**{**call, "savemodel": "modelcolumn", **changes})
    model = Model.read(paths(MFS))
    for ours in saved_in("continuum.ms"):
        expected = truth(MFS, ours, model)
        assert abs(expected).max() > 0.3
        assert abs(ours.model - expected).max() < OF_PEAK * abs(expected).max()


def test_models_of_all_fields_are_summed(cleaned: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    parameters = {**MFS, "imsize": 60, "phasecenter": "J2000 09h59m59.83s -25d00m00.8s", "gridder": "wproject"}
    outlier = "imagename=out\nimsize=[20,20]\nphasecenter=J2000 10h00m00.3089s -24d59m57.4s\n"
    Path("out.txt").write_text(outlier)
    cleaned({**parameters, "outlierfile": "out.txt"}, niter=200, cycleniter=50, gain=0.3, savemodel="modelcolumn")
    models = [Model.read(paths(MFS, name)) for name in (NAME, "out")]
    for ours in saved_in("continuum.ms"):
        each = [truth(parameters, ours, model) for model in models]
        assert min(abs(one).max() for one in each) > 0.2
        assert abs(ours.model - sum(each)).max() < OF_PEAK * abs(sum(each)).max()


def run_both(parameters: dict[str, Any], tclean: TaskProcess, dataset: Callable[[str], Path]) -> list[Path]:
    """Folders in which tclean and ducc have imaged copies of data that nobody has written to."""
    folders = []
    for name in ("tclean", "ducc"):
        folders.append(Path(name).absolute())
        folders[-1].mkdir()
        for vis in names_of(parameters):
            shutil.copytree(dataset(vis.removesuffix(".ms")), folders[-1] / vis)
    outcome = tclean.run([Call("tclean", parameters)], folders[0])[-1]
    assert not outcome.error, outcome.error
    pclean(**{**parameters, "imagename": f"ducc/{NAME}", "vis": f"ducc/{parameters['vis']}", "engine": "ducc"})
    return folders


def description(vis: Path) -> list[Any]:
    """All that a MeasurementSet says of its column."""
    with casa.opened_table(str(vis)) as table:
        managers = [entry for entry in table.getdminfo().values() if "MODEL_DATA" in entry["COLUMNS"]]
        told = table.getcoldesc("MODEL_DATA"), table.getcolkeywords("MODEL_DATA"), table.keywordnames()
        return [*told, managers[0]["TYPE"], managers[0]["NAME"], managers[0]["SPEC"]]


@pytest.mark.parametrize("parameters", [MFS, CUBE], ids=["mfs", "cube"])
def test_column_is_made_as_tclean_makes_it(
    parameters: dict[str, Any], tclean: TaskProcess, dataset: Callable[[str], Path], tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    call = {**parameters, **CLEAN, "savemodel": "modelcolumn"}
    folders = run_both(call, tclean, dataset)
    theirs, ours = (description(folder / parameters["vis"]) for folder in folders)
    np.testing.assert_equal(ours, theirs)


@pytest.mark.parametrize("changes", [{"nchan": 3}, CUBEDATA], ids=["cube", "cubedata"])
def test_only_data_near_the_cube_are_written_by_its_cycle(
    changes: dict[str, Any], tclean: TaskProcess, dataset: Callable[[str], Path], tmp_path: Path, monkeypatch
) -> None:
    """As tclean leaves the others, but in 'cubedata'; where CASA makes the column there is 1 in it."""
    monkeypatch.chdir(tmp_path)
    call = {**CUBE, **CLEAN, **changes, "savemodel": "modelcolumn"}
    run_both(call, tclean, dataset)
    [theirs], [ours] = saved_in("tclean/line.ms"), saved_in("ducc/line.ms")
    alone = theirs.model == 1
    assert alone.mean() == 0 if changes is CUBEDATA else 0.2 < alone.mean() < 0.8
    assert abs(theirs.model).max() > 0.15
    assert ((ours.model == 1) == alone).all()
    assert abs(ours.model - theirs.model).max() < 10 * GRIDDED  # their models are not quite the same


def test_virtual_model_is_casas_and_goes_when_a_column_is_saved(cleaned: Callable[..., dict[str, Any]]) -> None:
    def virtual() -> list[str]:
        names = []
        for path in ("continuum.ms", "continuum.ms/SOURCE"):
            with casa.opened_table(path) as table:
                names += table.keywordnames()
        return [name for name in names if "model" in name]

    call = cleaned(MFS, savemodel="virtual")
    with casa.opened_table("continuum.ms") as table:
        assert "MODEL_DATA" not in table.colnames()
    assert virtual()
    pclean(**{**call, **AFTERWARDS})
    assert not virtual()
    assert abs(saved_in("continuum.ms")[0].model).max() > 0.3


def test_what_is_not_selected_is_left_alone(cleaned: Callable[..., dict[str, Any]]) -> None:
    call = cleaned(MFS, savemodel="modelcolumn", spw="0:0;2~3,1:1~2", antenna="0~7")
    fill("continuum.ms", 9)
    pclean(**{**call, **AFTERWARDS})
    model = Model.read(paths(MFS))
    for ours, channels in zip(saved_in("continuum.ms"), ([0, 2, 3], [1, 2]), strict=True):
        written = (ours.model != 9).all(axis=0)
        rows = written.any(axis=1)
        assert 0 < rows.mean() < 1
        assert np.flatnonzero(written.any(axis=0)).tolist() == channels
        assert written[np.ix_(rows, channels)].all()
        expected = truth(MFS, ours, model)
        assert abs(np.where(written, ours.model - expected, 0)).max() < OF_PEAK * abs(expected).max()


@pytest.mark.parametrize("case", ["mtmfs", "cube", "cube-nearest"])
def test_saved_model_does_not_depend_on_how_many_rows_are_worked_on_at_once(
    case: str, cleaned: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    call = {**cleaned(CASES[case]), **AFTERWARDS}
    pclean(**call)
    whole = all_saved(CASES[case])
    fill(CASES[case]["vis"], 9)
    monkeypatch.setattr(gridder, "values_at_once", lambda: 300)
    pclean(**call)
    for one, other in zip(whole, all_saved(CASES[case]), strict=True):
        assert abs(one.model).max() > 0.3
        assert abs(one.model - other.model).max() < OF_PEAK * abs(one.model).max()
