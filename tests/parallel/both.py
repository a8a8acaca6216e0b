"""A case of the agreement table by tclean, and by pclean on workers."""

from __future__ import annotations

from pathlib import Path

from tests.agreement import matrix
from tests.agreement.cases import Case
from tests.agreement.runner import Call, Outcome, TaskProcess
from tests.agreement.test_agreement import check_errors, check_meaningful

LIMIT_S = 180.0


def run_both(
    case: Case, workers: list[int], oracle: TaskProcess, candidate: TaskProcess, folders: tuple[Path, Path],
    note: matrix.Note | None = None,
) -> tuple[list[Outcome], list[Outcome]]:  # fmt: skip
    """The outcomes of tclean and of pclean, each in its folder, with as many workers a call as `workers` says.

    0 is one process. Both have run, and tclean's images are not empty.
    """
    here, there = folders
    expected = oracle.run([Call("tclean", call) for call in case.calls], here, LIMIT_S)
    parallel = [{"parallel": True, "nworkers": number} if number else {} for number in workers]
    calls = [Call("pclean", {**call, **case.own, **how}) for call, how in zip(case.calls, parallel, strict=True)]
    found = candidate.run(calls, there, LIMIT_S)
    if note is not None:
        note(expected, found)
    check_meaningful(case, here, expected)
    check_errors(case, "pclean", found)
    return expected, found
