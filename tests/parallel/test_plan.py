"""Who does a run, with how much, by its parameters and by what the process was told."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pcleantask import PcleanConfig
from pcleantask.cores import limited_threads, usable_cores, usable_threads
from pcleantask.parallel import asked
from pcleantask.parallel.asked import THREADS, workers_ahead
from pcleantask.parallel.plan import CUBE, ROWS, SERIAL, Plan
from pcleantask.parallel.team_runs import make_run
from pcleantask.processes import mpi_team
from tests.agreement.cases import CUBE as LINE
from tests.agreement.cases import MFS

TEAM: dict[str, Any] = {"parallel": True, "nworkers": 2}
# what is asked for, and the plan but for threads and memory: kind, workers, whether they are asked for
PLANS: dict[str, tuple[dict[str, Any], tuple[str, int, bool]]] = {
    "not-parallel": ({**LINE, "nworkers": 2}, (SERIAL, 0, False)),
    "cube": ({**LINE, **TEAM}, (CUBE, 2, True)),
    "continuum": ({**MFS, **TEAM}, (ROWS, 2, True)),
    "all-cores": ({**LINE, "parallel": True}, (CUBE, usable_cores(), False)),
    "ducc-many": ({**LINE, "engine": "ducc", "parallel": True, "nworkers": THREADS + 1}, (CUBE, THREADS + 1, True)),
    "facets": ({**MFS, **TEAM, "facets": 2, "gridder": "widefield"}, (SERIAL, 0, False)),
    "optical": ({**LINE, **TEAM, "veltype": "optical"}, (SERIAL, 0, False)),
    "automask-by-casa": (
        {**LINE, **TEAM, "usemask": "auto-multithresh", "automaskengine": "casa"},
        (SERIAL, 0, False),
    ),
}


@pytest.fixture
def configured(dataset: Callable[[str], Path]) -> Callable[[dict[str, Any]], PcleanConfig]:
    def config(parameters: dict[str, Any]) -> PcleanConfig:
        vis = str(dataset(parameters["vis"].removesuffix(".ms")))
        return PcleanConfig.from_parameters(**{**parameters, "vis": vis})

    return config


@pytest.mark.parametrize(("parameters", "expected"), PLANS.values(), ids=PLANS)
def test_plan_follows_from_the_parameters(
    configured: Callable[[dict[str, Any]], PcleanConfig], parameters: dict[str, Any], expected: tuple[str, int, bool]
) -> None:
    config = configured(parameters)
    plan = Plan.of(config)
    assert (plan.kind, plan.workers, plan.is_asked_for) == expected
    assert bool(plan.reason) == plan.is_exception == (bool(parameters.get("parallel")) and plan.kind == SERIAL)
    if plan.workers:
        assert plan.threads == max(1, usable_cores() // plan.workers)
        assert plan.memory * plan.workers == pytest.approx(1)
    assert (make_run(config, plan) is None) == (plan.kind == SERIAL)


@pytest.mark.parametrize("engine", ["ducc", "auto"])
def test_few_workers_are_threads_of_this_process(
    engine: str, configured: Callable[[dict[str, Any]], PcleanConfig]
) -> None:
    parameters = {**LINE, "engine": engine, "parallel": True, "nworkers": 3}
    plan = Plan.of(configured(parameters))
    assert (plan.kind, plan.threads, plan.workers, plan.is_exception) == (SERIAL, 3, 0, False)
    assert "3 threads" in plan.reason
    assert workers_ahead({**parameters, "specmode": "cube"}) == 0


def test_process_that_is_told_so_images_in_parallel(
    configured: Callable[[dict[str, Any]], PcleanConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asked, "_asked_for", [])
    asked.parallel_by_default(3)
    found = [Plan.of(configured({**LINE, "nworkers": number})) for number in (0, 2)]
    assert [(plan.kind, plan.workers, plan.is_asked_for) for plan in found] == [(CUBE, 3, True), (CUBE, 2, True)]


def test_workers_of_an_mpi_job_are_its_ranks(
    configured: Callable[[dict[str, Any]], PcleanConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mpi_team, "_links", [mpi_team.HubLink(None, 8)])  # type: ignore[arg-type]
    for engine, nworkers, expected in (("casa", 0, 8), ("ducc", 3, 3), ("casa", 20, 8)):
        plan = Plan.of(configured({**LINE, "engine": engine, "nworkers": nworkers}))
        assert (plan.kind, plan.workers, plan.threads) == (CUBE, expected, 0)
    assert workers_ahead({**LINE, **TEAM, "engine": "casa"}) == 0


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, 2),
        ({"parallel": False}, 0),
        ({"nchan": 1}, 1),
        ({"nchan": -1}, 2),
        ({"specmode": "mfs", "nchan": 1}, 2),
        ({"nworkers": 0}, usable_cores()),
        ({"nworkers": 1000}, 0),
        ({"nworkers": "two"}, 0),
        ({"engine": "ducc"}, 0),
    ],
)
def test_workers_started_ahead_are_those_that_will_be_asked_for(changes: dict[str, Any], expected: int) -> None:
    document = {"specmode": "cube", "nchan": 8, "engine": "casa", **TEAM, **changes}
    assert workers_ahead(document) == min(expected, 8 if document["specmode"] == "cube" else expected)


def test_a_plan_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Plan().workers = 2  # type: ignore[misc]


def test_no_limit_of_threads_outlives_its_block() -> None:
    before = usable_threads()
    with limited_threads(3):
        assert usable_threads() == 3
        with limited_threads(0):
            assert usable_threads() == 3
        with pytest.raises(ZeroDivisionError), limited_threads(5):
            assert usable_threads() == 5
            _ = 1 / 0
        assert usable_threads() == 3
    assert usable_threads() == before
