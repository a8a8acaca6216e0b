"""A run that was killed and called again comes to the images and the dictionary of one that wasn't, to the last bit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.agreement import matrix
from tests.agreement.cases import CASES, Case
from tests.agreement.runner import Call, TaskProcess
from tests.agreement.test_agreement import (
    candidate,
    check_errors,
    check_meaningful,
    check_same,
    folders,
    oracle,
    prepare,
)

__all__ = ["candidate", "folders", "oracle"]  # fixtures
LIMIT_S = 400.0
RESUMABLE = [case for case in CASES if not (case.refused or case.fails) and case.calls[-1]["niter"] > 0]


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=case.name, marks=[pytest.mark.long] if case.long else []) for case in RESUMABLE]
)
def test_killed_run_that_is_called_again_gives_the_images_of_tclean(
    case: Case,
    oracle: TaskProcess,  # noqa: F811
    candidate: TaskProcess,  # noqa: F811
    folders: tuple[Path, Path],  # noqa: F811
    dataset: Callable[[str], Path],
) -> None:
    here, there = folders
    for folder in folders:
        prepare(case, folder, dataset)
    oracle.send([Call("tclean", call) for call in case.calls], here)
    calls = [{**call, **case.own} for call in case.calls]
    candidate.send([Call("resumed", {"whens": ["kept 1"], "parameters": [call, call]}) for call in calls], there)
    expected, found = oracle.receive(LIMIT_S), candidate.receive(LIMIT_S)
    check_meaningful(case, here, expected)
    check_errors(case, "pclean", found)
    check_same(case, here, there, expected, found)
