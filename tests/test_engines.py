"""Which engine grids what."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pcleantask import PcleanConfig, SerialImager, casa, pclean
from pcleantask.engines import VARIABLE
from pcleantask.errors import ParameterError
from pcleantask.gridding.ducc.support import with_data_seen
from pcleantask.parallel.asked import with_defaults
from tests.agreement.cases.furnish import ephemeris_table, tracked_field

BASE = {"imagename": "x", "cell": "1arcsec", "imsize": 40}
DIRTY = {"datacolumn": "data", "specmode": "mfs", "restoration": False}
BEYOND: list[tuple[dict[str, Any], str]] = [
    ({"gridder": "mosaic", "usepointing": True}, "usepointing=True"),
    ({"gridder": "mosaic", "conjbeams": True}, "conjbeams=True"),
    ({"gridder": "awproject"}, "gridder='awproject'"),
    ({"gridder": "awp2"}, "gridder='awp2'"),
    ({"gridder": "imagemosaic"}, "gridder='imagemosaic'"),
    ({"specmode": "cubesource"}, "specmode='cubesource'"),
    ({"facets": 2}, "facets=2"),
    ({"stokes": "pseudoI"}, "stokes='pseudoI'"),
    ({"specmode": "cube", "interpolation": "cubic"}, "interpolation='cubic'"),
    ({"phasecenter": "TRACKFIELD"}, "phasecenter='TRACKFIELD'"),
    ({"phasecenter": "MARS"}, "phasecenter='MARS'"),
    ({"phasecenter": "uranus.tab"}, "phasecenter='uranus.tab'"),
]
WITHIN: list[dict[str, Any]] = [
    {},
    {"specmode": "cont"},
    {"deconvolver": "mtmfs", "nterms": 3},
    {"specmode": "cube"},
    {"specmode": "cubedata", "interpolation": "nearest"},
    {"interpolation": "cubic"},
    {"gridder": "wproject"},
    {"gridder": "mosaic"},
    {"gridder": "ftmosaic", "specmode": "cube"},
    {"gridder": "widefield"},
    {"stokes": "IQUV"},
    {"stokes": "XX"},
    {"phasecenter": 0},
    {"phasecenter": "0"},
    {"phasecenter": "J2000 10h00m00.3s -25d00m03.0s"},
    {"weighting": "briggs", "uvtaper": ["1arcsec"]},
]


@pytest.fixture
def config(line_ms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """config(engine, changes): the configuration of a run on the line data."""
    monkeypatch.chdir(tmp_path)

    def made(engine: str, changes: dict[str, Any]) -> PcleanConfig:
        return PcleanConfig.from_parameters(**{**BASE, "vis": str(line_ms), "engine": engine, **changes})

    return made


@pytest.mark.parametrize(("changes", "words"), BEYOND)
def test_ducc_refuses_what_it_does_not_do_by_name_before_any_work(config, changes, words):
    with pytest.raises(ParameterError, match="engine='ducc' doesn't do ") as caught:
        config("ducc", changes)
    assert words in str(caught.value)
    assert "engine='casa'" in str(caught.value)
    assert not list(Path().iterdir())


@pytest.mark.parametrize("changes", [changes for changes, _ in BEYOND])
def test_auto_takes_casa_where_ducc_does_not_do_it(config, changes):
    assert config("auto", changes).engine == "casa"


@pytest.mark.parametrize("changes", WITHIN)
def test_auto_takes_ducc_where_it_can(config, changes):
    assert config("auto", changes).engine == "ducc"


def test_default_is_casa(config):
    assert PcleanConfig.from_parameters(**BASE, vis=config("casa", {}).selections[0].vis).engine == "casa"


def test_the_environments_engine_is_that_of_calls_that_name_none(config, monkeypatch):
    monkeypatch.setenv(VARIABLE, "auto")
    assert [config(engine, {}).run.engine for engine in ("", "casa", "ducc")] == ["auto", "casa", "ducc"]
    there = config("", {})
    monkeypatch.setenv(VARIABLE, "casa")
    assert PcleanConfig.from_dict(there.to_dict()) == there  # a worker's is its lead's, whatever its environment
    monkeypatch.setenv(VARIABLE, "wsclean")
    with pytest.raises(ParameterError, match=f"{VARIABLE}='wsclean' in the environment"):
        config("", {})


def test_the_environments_workers_are_those_of_calls_that_name_none(monkeypatch):
    call = {"engine": "casa", "parallel": False, "nworkers": 0}
    assert with_defaults(call) == (call, [])
    monkeypatch.setenv("PCLEAN_NWORKERS", "3")
    taken, told = with_defaults(call)
    assert (taken["parallel"], taken["nworkers"], len(told)) == (True, 3, 1)
    taken, told = with_defaults({**call, "parallel": True, "nworkers": 5})
    assert (taken["parallel"], taken["nworkers"], told) == (True, 5, [])
    monkeypatch.setenv("PCLEAN_NWORKERS", "-1")
    with pytest.raises(ParameterError, match="PCLEAN_NWORKERS='-1' in the environment is no number of workers"):
        with_defaults(call)


@pytest.mark.parametrize(("changes", "engine"), [({}, "ducc"), ({"gridder": "mosaic", "usepointing": True}, "casa")])
def test_auto_says_what_it_took(config, changes, engine):
    settings = {"datacolumn": "data", "specmode": "mfs", "restoration": False, **changes}
    with SerialImager(config("auto", settings)) as imager:
        assert imager.run()["engine"] == engine


def test_return_dictionary_of_casa_is_tcleans(config):
    with SerialImager(config("casa", {"datacolumn": "data", "restoration": False})) as imager:
        assert "engine" not in imager.run()


def test_auto_says_in_the_log_and_the_result_that_casa_follows_what_moves(dataset, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(dataset("planet"), "planet.ms")
    tracked_field(tmp_path)
    said: list[str] = []
    monkeypatch.setattr(casa, "post", lambda message, *_: said.append(message))
    result = pclean(**BASE, **DIRTY, vis="planet.ms", engine="auto")
    assert result["engine"] == "casa"
    assert any(
        "engine='casa', as engine='ducc' doesn't do fields that move ('planet.ms': [0])" in line for line in said
    )
    with pytest.raises(ParameterError, match=r"field 0 of .* moves"):
        pclean(**{**BASE, "imagename": "y"}, **DIRTY, vis="planet.ms", engine="ducc")


def test_fields_that_move_matter_where_they_are_selected(mosaic_ms, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(mosaic_ms, "mosaic.ms")
    ephemeris_table(tmp_path)
    shutil.move("uranus.tab", "mosaic.ms/FIELD/EPHEM0_Uranus.tab")
    with casa.opened_table("mosaic.ms/FIELD", writable=True) as table:
        column = table.getcoldesc("SOURCE_ID") | {"comment": "Ephemeris id"}
        table.addcols({"EPHEMERIS_ID": column})
        table.putcol("EPHEMERIS_ID", np.array([-1, 0, -1], np.int32))
    engines = {}
    for field in ("", "0,2", "1"):
        parsed = PcleanConfig.from_parameters(**BASE, vis="mosaic.ms", engine="auto", field=field)
        seen = with_data_seen(parsed)
        engines[field] = seen.engine
        assert PcleanConfig.from_dict(seen.to_dict()) == seen
    assert engines == {"": "casa", "0,2": "ducc", "1": "casa"}


@pytest.mark.parametrize(("frame", "engine"), [("ICRS", "ducc"), ("MARS", "casa"), ("AZEL", "casa")])
def test_fields_in_a_frame_that_moves_are_casas(frame, engine, line_ms, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(line_ms, "line.ms")
    with casa.opened_table("line.ms/FIELD", writable=True) as table:
        words = table.getcolkeyword("PHASE_DIR", "MEASINFO")
        table.putcolkeyword("PHASE_DIR", "MEASINFO", {"type": words["type"], "Ref": frame})
    assert with_data_seen(PcleanConfig.from_parameters(**BASE, vis="line.ms", engine="auto")).engine == engine


def test_auto_leaves_correlations_that_ducc_does_not_know_to_casa(dataset, tmp_path, monkeypatch):
    """Data that are Stokes I already, as some simulators and single dishes write them."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(dataset("one_hand"), "stokes.ms")
    with casa.opened_table("stokes.ms/POLARIZATION", writable=True) as table:
        table.putcell("CORR_TYPE", 0, [1])
    config = with_data_seen(PcleanConfig.from_parameters(**BASE, vis="stokes.ms", engine="auto"))
    assert config.engine == "casa"
    assert config.beyond_ducc == "correlations of type [1] ('stokes.ms')"
    with pytest.raises(ParameterError, match=r"type \[1\] can't be imaged with engine='ducc'"):
        pclean(**{**BASE, "imagename": "y"}, **DIRTY, vis="stokes.ms", engine="ducc")
    result = pclean(**BASE, **DIRTY, vis="stokes.ms", engine="auto")
    assert result["engine"] == "casa"


def test_a_team_takes_the_engine_that_one_process_takes(dataset, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(dataset("planet"), "planet.ms")
    tracked_field(tmp_path)
    parameters = {**DIRTY, **BASE, "vis": "planet.ms", "parallel": True, "nworkers": 2}
    assert pclean(**parameters, engine="auto")["engine"] == "casa"
