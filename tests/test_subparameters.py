"""Sub-parameters come into use with their parents' values; what tclean shows and takes is compared in test_shell.py."""

from __future__ import annotations

from typing import Any

import pytest

from pcleantask import parameters
from pcleantask.subparameters import completed, is_parent, shown

NAMES = list(parameters.definitions())


def names_shown(given: dict[str, Any]) -> list[str]:
    return [parameter.name for parameter in shown(given)]


@pytest.mark.parametrize(
    ("given", "there", "absent"),
    [
        ({}, ["reffreq", "uvtaper", "psfcutoff", "field"], ["nchan", "robust", "gain", "facets", "nworkers"]),
        ({"specmode": "cube"}, ["nchan", "start", "outframe"], ["reffreq"]),
        ({"specmode": "mvc"}, ["nchan", "reffreq"], ["start"]),
        ({"niter": 5}, ["gain", "threshold", "interactive"], []),
        ({"niter": "wrong"}, ["gain"], []),
        ({"calcpsf": False, "selectdata": False}, [], ["psfcutoff", "field", "intent"]),
        ({"usemask": "auto-multithresh"}, ["automaskengine", "sidelobethreshold"], ["mask"]),
        ({"parallel": True}, ["nworkers"], []),
    ],
)
def test_sub_parameters_are_shown_where_their_parents_value_calls_for_them(
    given: dict[str, Any], there: list[str], absent: list[str]
) -> None:
    found = names_shown(given)
    assert set(there) <= set(found)
    assert set(absent).isdisjoint(found)
    assert len(found) == len(set(found))


def test_own_sub_parameters_stand_under_their_parents() -> None:
    found = names_shown({"usemask": "auto-multithresh", "parallel": True})
    assert found[found.index("usemask") + 1] == "pbmask"
    assert found.index("usemask") < found.index("automaskengine") < found.index("fastnoise")
    assert found[found.index("parallel") :] == ["parallel", "nworkers", "engine", "resume"]


@pytest.mark.parametrize(
    ("given", "name", "value"),
    [
        ({}, "outframe", "LSRK"),
        ({"specmode": "cube"}, "outframe", ""),
        ({"specmode": "cubesource"}, "outframe", "REST"),
        ({"specmode": "cube", "outframe": "BARY"}, "outframe", "BARY"),
        ({}, "pbmask", 0.0),
        ({"usemask": "pb"}, "pbmask", 0.2),
        ({"niter": 0, "gain": 0.5}, "gain", 0.5),
    ],
)
def test_a_call_takes_what_is_given_else_the_default_of_the_context(
    given: dict[str, Any], name: str, value: Any
) -> None:
    parameters_of_call = completed(given)
    assert parameters_of_call[name] == value
    assert list(parameters_of_call) == NAMES


def test_defaults_are_copies() -> None:
    completed({})["scales"].append(3)
    completed({"deconvolver": "multiscale"})["scales"].append(3)
    assert completed({})["scales"] == completed({"deconvolver": "multiscale"})["scales"] == []


def test_parents_are_those_of_the_definition() -> None:
    found = [item.name for item in parameters.definitions().values() if is_parent(item)]
    assert found == [
        "selectdata", "specmode", "gridder", "deconvolver", "restoration", "weighting", "niter", "usemask", "calcpsf",
        "parallel",
    ]  # fmt: skip
