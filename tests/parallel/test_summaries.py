"""summaryminor is that of the installed tclean: its channels, Stokes planes and keys change with the version."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pcleantask.parallel.asked import THREADS
from tests.agreement.cases import AUTO, CUBE, MFS, STOKES, Case
from tests.agreement.closeness import minor_cycle_deviations
from tests.agreement.runner import Call, TaskProcess
from tests.agreement.test_agreement import LIMIT_S, check_errors, check_meaningful, prepare

SMALL = {**STOKES, "imsize": 64, "niter": 40, "cycleniter": 20}
IMAGES = {
    "mfs": {**MFS, **SMALL, "stokes": "XXYY"},
    "cube": {**CUBE, **SMALL, "stokes": "IQ", "nchan": 4, "start": 0, "width": 1, "outframe": ""},
    "automask": {**CUBE, **SMALL, **AUTO, "stokes": "XXYY", "nchan": 3, "start": "229.998GHz"},
}
WAYS: dict[str, dict[str, Any]] = {
    "casa": {},
    "casa on 2 workers": {"parallel": True, "nworkers": 2},
    "ducc": {"engine": "ducc"},
}
TEAM = {"ducc on a team": {"engine": "ducc", "parallel": True, "nworkers": THREADS + 1}}  # of processes
GRIDDING = 1e-2  # of the largest entry: by so much may ducc's images be off tclean's after some iterations


@pytest.mark.parametrize(
    ("name", "fullsummary"),
    [
        pytest.param(name, full, id=f"{name}-{'full' if full else 'short'}", marks=[pytest.mark.long] * is_long)
        for name, full, is_long in (
            ("mfs", False, True),
            ("mfs", True, False),
            ("cube", False, False),
            ("cube", True, False),
            ("automask", False, False),
            ("automask", True, True),
        )
    ],
)
def test_minor_cycles_are_reported_as_by_tclean(
    name: str, fullsummary: bool, oracle: TaskProcess, candidate: TaskProcess, folders: tuple[Path, Path],
    dataset: Callable[[str], Path],
) -> None:  # fmt: skip
    case = Case(name, ({**IMAGES[name], "fullsummary": fullsummary},))
    here, there = folders
    for folder in folders:
        prepare(case, folder, dataset)
    [truth] = outcomes = oracle.run([Call("tclean", call) for call in case.calls], here, LIMIT_S)
    check_meaningful(case, here, outcomes)
    expected = truth.value["summaryminor"]
    ways = WAYS if name == "mfs" else WAYS | TEAM
    names = [f"img{number}" for number in range(len(ways))]
    calls = [
        Call("pclean", {**case.calls[0], **way, "imagename": imagename})
        for imagename, way in zip(names, ways.values(), strict=True)
    ]
    found = candidate.run(calls, there, LIMIT_S)
    check_errors(case, "pclean", found)
    for way, outcome in zip(ways, found, strict=True):
        lines = list(differing_entries(expected, outcome.value["summaryminor"], exact=not way.startswith("ducc")))
        assert not lines, f"{way}:\n" + "\n".join(lines)


def differing_entries(expected: dict[str, Any], found: dict[str, Any], *, exact: bool) -> Iterator[str]:
    """Where two summaries differ: in their places; in values by more than rounding, or than another gridder makes."""
    if exact:
        yield from minor_cycle_deviations(expected, found, "summaryminor")
        return
    one, other = dict(entries(expected)), dict(entries(found))
    if list(one) != list(other):
        yield f"{list(one)} expected, {list(other)} found"
        return
    for place, value in one.items():
        worst = np.abs(np.subtract(value, other[place])).max()
        if worst > GRIDDING * np.abs(value).max():
            yield f"{place}: {value} expected, {other[place]} found"


def entries(summary: dict[Any, Any], place: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], list[float]]]:
    """Each list of values in a nested summary, with where it stands."""
    for key, value in summary.items():
        if isinstance(value, dict):
            yield from entries(value, (*place, key))
        else:
            yield (*place, key), value
