"""Every accepted form of a parameter becomes one canonical form, which plain data keep without loss."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pcleantask import casa
from pcleantask.config import PcleanConfig
from pcleantask.errors import MissingInputError, ParameterError
from pcleantask.parameters import defaults
from pcleantask.sections import SHARED_SECTIONS, ImageField, Selection

OUTLIERS = """# two fields besides the main one

imagename = far
imsize=[40,32]
cell=[8.0arcsec, 4.0arcsec]
phasecenter=J2000 10h00m50.4s 34d44m50.0s
mask=circle[[20pix,20pix],8pix]

imagename='near/by'
imsize=64
nchan=3
start=1.4GHz
nterms=1
deconvolver=clark
usemask=pb
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder of the test's own, with two images."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.tt0", "a.tt1"):
        with casa.tool("image") as image:
            image.fromshape(name, [4, 4, 1, 1])
    return tmp_path


@pytest.fixture
def vis(line_ms: Path) -> str:
    return str(line_ms)


def parsed(vis: Any, **changes: Any) -> PcleanConfig:
    return PcleanConfig.from_parameters(**{"vis": vis, "imagename": "img", "cell": "1arcsec", **changes})


def written(name: str, text: str) -> str:
    Path(name).write_text(text, encoding="utf-8")
    return name


@pytest.mark.parametrize(
    ("given", "canonical"),
    [
        ({"imsize": 64}, (64, 64)),
        ({"imsize": [64]}, (64, 64)),
        ({"imsize": [64, 48]}, (64, 48)),
        ({"imsize": (64, 48)}, (64, 48)),
        ({"imsize": np.array([64, 48])}, (64, 48)),
        ({"imsize": np.int64(64)}, (64, 64)),
        ({}, (100, 100)),
        ({"cell": "0.4arcsec"}, ("0.4arcsec", "0.4arcsec")),
        ({"cell": ["0.4arcsec"]}, ("0.4arcsec", "0.4arcsec")),
        ({"cell": 0.4}, ("0.4arcsec", "0.4arcsec")),
        ({"cell": [4, 5]}, ("4arcsec", "5arcsec")),
        ({"cell": ["0.4arcsec", "0.5arcsec"]}, ("0.4arcsec", "0.5arcsec")),
        ({"imagename": ["one"]}, "one"),
        ({"imagename": 7}, "7"),
        ({"startmodel": ["a.tt0", "a.tt1"], "deconvolver": "mtmfs"}, ("a.tt0", "a.tt1")),
        ({"specmode": "cont"}, "mfs"),
    ],
)
def test_each_form_of_a_field_parameter_becomes_the_canonical_one(vis: str, given: Any, canonical: Any) -> None:
    name = next(iter(given), "imsize")
    found = getattr(parsed(vis, **given).fields[0], name)
    assert found == canonical
    assert json.dumps(found)  # no numpy numbers are left


@pytest.mark.parametrize(
    ("section", "given", "canonical"),
    [
        ("iteration", {"gain": 1}, 1.0),
        ("iteration", {"gain": np.float32(0.5)}, 0.5),
        ("iteration", {"niter": np.int32(5)}, 5),
        ("run", {"restart": np.bool_(False)}, False),
        ("run", {"datacolumn": ""}, "corrected"),
        ("weighting", {"uvtaper": "5klambda"}, ("5klambda",)),
        ("weighting", {"uvtaper": ["5klambda", "3klambda", "0deg"]}, ("5klambda", "3klambda", "0deg")),
        ("deconvolution", {"scales": 5}, (5,)),
        ("deconvolution", {"scales": np.array([0.0, 6.5])}, (0.0, 6.5)),
        ("deconvolution", {"restoringbeam": "common"}, "common"),
    ],
)
def test_each_form_of_a_shared_parameter_becomes_the_canonical_one(
    vis: str, section: str, given: Any, canonical: Any
) -> None:
    name = next(iter(given))
    found = getattr(getattr(parsed(vis, **given), section), name)
    assert (found, type(found)) == (canonical, type(canonical))


@pytest.mark.parametrize("given", [{"imsize": []}, {"imsize": [64, 64, 3]}, {"cell": []}, {"cell": ["1arcsec"] * 3}])
def test_neither_none_nor_three_entries_make_a_pair(vis: str, given: dict[str, Any]) -> None:
    with pytest.raises(ParameterError, match=f"{next(iter(given))} must have one entry or two"):
        parsed(vis, **given)


def test_one_selection_holds_for_all_measurement_sets_and_a_list_for_one_each(dataset: Any) -> None:
    paths = [str(dataset("line")), str(dataset("late"))]
    config = parsed(paths, spw=["0:1~3", "0:2~5"], field="0", observation=0)
    assert config.selections == (
        Selection(paths[0], field="0", spw="0:1~3", observation="0"),
        Selection(paths[1], field="0", spw="0:2~5", observation="0"),
    )


def test_list_of_another_length_than_vis_is_refused(dataset: Any) -> None:
    with pytest.raises(ParameterError, match="spw has 3 entries for 2 MeasurementSets"):
        parsed([str(dataset("line")), str(dataset("late"))], spw=["0", "0", "0"])
    with pytest.raises(ParameterError, match="field has 2 entries for 1 MeasurementSets"):
        parsed(str(dataset("line")), field=["0", "0"])


def test_path_and_list_of_one_path_give_the_same_selection(vis: str) -> None:
    assert parsed(vis).selections == parsed([vis]).selections == parsed(vis + "/").selections == (Selection(vis),)


def test_a_selection_acts_whatever_selectdata_says(vis: str) -> None:
    selection = {"field": "0", "spw": "0:2", "timerange": ">0:00", "uvrange": ">1m", "antenna": "0", "scan": "1"}
    selection |= {"intent": "*"}
    for shown in (True, False):
        assert parsed(vis, selectdata=shown, **selection).selections == (Selection(vis, **selection),)


@pytest.mark.parametrize(
    ("gridder", "given", "used"),
    [("mosaic", True, True), ("awp2", True, True), ("mosaic", False, False), ("standard", True, False)],
)
def test_mosweight_acts_with_gridders_for_mosaics_only(vis: str, gridder: str, given: bool, used: bool) -> None:
    assert parsed(vis, gridder=gridder, mosweight=given).gridding.mosweight is used


@pytest.mark.parametrize(
    ("specmode", "given", "used"),
    [("cube", True, True), ("cube", False, False), ("mfs", True, False), ("cont", True, False)],
)
def test_perchanweightdensity_acts_in_cubes_only(vis: str, specmode: str, given: bool, used: bool) -> None:
    assert parsed(vis, specmode=specmode, perchanweightdensity=given).weighting.perchanweightdensity is used


@pytest.mark.parametrize(
    ("changes", "divides"),
    [({}, True), ({"deconvolver": "mtmfs"}, True), ({"specmode": "cube"}, False), ({"specmode": "cubedata"}, False)],
)
def test_images_are_divided_in_python_for_continuum_only(vis: str, changes: Any, divides: bool) -> None:
    assert parsed(vis, **changes).divides_in_python is divides


@pytest.mark.parametrize(
    ("changes", "late"),
    [
        ({"usemask": "auto-multithresh"}, True),
        ({"nsigma": 3.0}, True),
        ({}, False),
        ({"nsigma": 3.0, "niter": 0}, False),
        ({"nsigma": 3.0, "savemodel": "none"}, False),
    ],
)
def test_model_is_saved_late_where_the_last_major_cycle_cannot_be_foreseen(vis: str, changes: Any, late: bool) -> None:
    assert parsed(vis, **{"niter": 10, "savemodel": "virtual", **changes}).saves_model_late is late


@pytest.mark.parametrize(
    ("stokes", "npol"), [("I", 1), ("IQUV", 4), ("QU", 2), ("RRLL", 2), ("XX", 1), ("pseudoI", 1), ("V", 1)]
)
def test_stokes_axis_has_a_plane_for_each_parameter(vis: str, stokes: str, npol: int) -> None:
    config = parsed(vis, stokes=stokes, imsize=[64, 48])
    assert config.npol == npol
    assert config.image_shape(config.fields[0]) == (64, 48, npol, 1)


def test_number_of_channels_is_unknown_until_the_data_tell(vis: str) -> None:
    shapes = []
    for nchan in (-1, 5):
        config = parsed(vis, specmode="cube", nchan=nchan)
        shapes.append(config.image_shape(config.fields[0]))
    assert shapes == [(100, 100, 1, None), (100, 100, 1, 5)]


def test_sections_hold_every_parameter_of_the_task_once() -> None:
    """But those that become selections and fields, or that are used up in parsing."""
    kinds = (Selection, ImageField, *SHARED_SECTIONS.values())
    names = [field.name for kind in kinds for field in dataclasses.fields(kind)]
    assert len(names) == len(set(names))
    assert set(defaults()) - set(names) == {"selectdata", "outlierfile", "interactive"}
    assert set(names) <= set(defaults())


def test_defaults_stand_in_the_definition_of_the_task_alone(vis: str) -> None:
    config = parsed(vis)
    # By the rules for mfs and gridder='standard', and where neither a command nor the environment names an engine.
    differing = {"mosweight": False, "perchanweightdensity": False, "engine": "casa"}
    for name, kind in SHARED_SECTIONS.items():
        for field in dataclasses.fields(kind):
            assert field.default is dataclasses.MISSING, f"{name}.{field.name}"
            default = defaults()[field.name]
            expected = differing.get(field.name, tuple(default) if isinstance(default, list) else default)
            assert getattr(getattr(config, name), field.name) == expected, field.name


def rich(vis: str) -> PcleanConfig:
    """A configuration with something in every section, and outliers."""
    return parsed(
        [vis],
        outlierfile=written("outliers.txt", OUTLIERS),
        deconvolver="multiscale",
        scales=[0, 5, 15],
        restoringbeam=["2arcsec", "1arcsec", "30deg"],
        uvtaper=["5klambda"],
        restfreq=["230GHz"],
        pointingoffsetsigdev=[30.0, 30.0],
        threshold={"value": 1.5, "unit": "mJy"},
        niter=np.int64(100),
    )


def test_plain_data_and_json_give_back_an_equal_configuration(vis: str) -> None:
    config = rich(vis)
    plain = config.to_dict()
    assert PcleanConfig.from_dict(plain) == config
    assert json.loads(json.dumps(plain)) == plain
    assert PcleanConfig.from_dict(json.loads(json.dumps(plain))) == config
    assert config != parsed(vis)


def test_sections_that_plain_data_leave_out_have_their_defaults(vis: str) -> None:
    config = parsed(vis)
    short = {name: config.to_dict()[name] for name in ("selections", "fields", "gridding", "weighting")}
    assert PcleanConfig.from_dict(short) == config


def test_unknown_section_is_an_error_that_names_it(vis: str) -> None:
    with pytest.raises(ParameterError, match=r"no section \['grid'\].*'gridding'"):
        PcleanConfig.from_dict({**parsed(vis).to_dict(), "grid": {}})


@pytest.mark.parametrize("section", ["selections", "fields", *SHARED_SECTIONS])
def test_configuration_is_frozen(vis: str, section: str) -> None:
    config = parsed(vis)
    part = getattr(config, section)
    part = part[0] if isinstance(part, tuple) else part
    name = dataclasses.fields(part)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(part, name, None)
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(config, section, None)


def test_parameters_given_are_not_changed(vis: str) -> None:
    given = {"vis": [vis], "imagename": "img", "cell": ["1arcsec"], "imsize": [64], "scales": [0, 5]}
    before = json.dumps(given)
    config = PcleanConfig.from_parameters(**given)
    given["scales"].append(9)
    assert config.deconvolution.scales == (0, 5)
    given["scales"].pop()
    assert json.dumps(given) == before


def test_outlier_fields_are_the_main_field_but_for_what_the_file_says(vis: str) -> None:
    main, far, near = rich(vis).fields
    assert main.imagename == "img"
    assert far == dataclasses.replace(
        main,
        imagename="far",
        imsize=(40, 32),
        cell=("8.0arcsec", "4.0arcsec"),
        phasecenter="J2000 10h00m50.4s 34d44m50.0s",
        mask="circle[[20pix,20pix],8pix]",
    )
    changed = {"imagename": "near/by", "imsize": (64, 64), "nchan": 3, "start": "1.4GHz", "nterms": 1}
    assert near == dataclasses.replace(main, **changed, deconvolver="clark", usemask="pb")


def test_outlier_values_are_parsed_without_eval(vis: str) -> None:
    path = written("outliers.txt", "imagename=far\nimsize=__import__('os').mkdir('evil')\n")
    with pytest.raises(ParameterError, match="line 2"):
        parsed(vis, outlierfile=path)
    assert not Path("evil").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("imagename=far\nimsize\n", "line 2: expected name=value, got 'imsize'"),
        ("imsize=40\n", "line 1: a field must begin with imagename=..., got 'imsize=40'"),
        ("imagename=far\nnchan=many\n", "line 2: 'many' is no value for nchan"),
        ("imagename=far\nimsize=[40,x]\n", "line 2: '[40,x]' is no value for imsize"),
        ("imagename=far\nimsize=[40,40,2]\n", "imsize must have one entry or two"),
        ("imagename=far\ncell=40\n", "cell '40' has no unit"),
        ("imagename=far\nnchan=-3\n", "nchan must be positive or -1, got -3"),
    ],
)
def test_malformed_outlier_file_is_an_error_with_line_and_value(vis: str, text: str, message: str) -> None:
    with pytest.raises(ParameterError) as caught:
        parsed(vis, outlierfile=written("outliers.txt", text))
    assert message in str(caught.value)


def test_missing_outlier_file_is_an_error_that_names_it(vis: str) -> None:
    with pytest.raises(MissingInputError, match=r"outlierfile 'absent\.txt' can't be read"):
        parsed(vis, outlierfile="absent.txt")
