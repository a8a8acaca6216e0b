"""The matrix that a session of rows prints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.agreement import matrix
from tests.agreement.runner import Outcome


class Report:
    """What pytest's report of a test tells of it."""

    def __init__(self, properties: list[tuple[str, Any]], when: str = "call", *, passed: bool = True) -> None:
        self.user_properties, self.when, self.passed = properties, when, passed


def noted(tmp_path: Path, way: str, claim: str, seconds: tuple[float, float], *, told: str = "") -> list[Any]:
    """The properties of a test of the row 'cube' whose run wrote `told` into the log."""
    properties: list[Any] = []
    note = matrix.noting(lambda *entry: properties.append(entry), "cube", way, claim, tmp_path)
    with (tmp_path / "casa-1.log").open("a", encoding="utf-8") as log:
        log.write(told)
    note(*([Outcome({}, "", share), Outcome({}, "", share)] for share in seconds))
    return properties


def test_a_row_has_verdicts_seconds_of_all_calls_and_their_ratio(tmp_path: Path) -> None:
    reports = [
        Report(noted(tmp_path, "serial", "same bits", (1.0, 0.5))),
        Report([], "setup"),
        Report(noted(tmp_path, "2 workers", "same bits", (2.0, 3.0)), passed=False),
    ]
    title, row = matrix.lines(matrix.gathered(reports))
    assert title.split("  ")[0] == "case"
    assert row.split() == ["cube", "same", "bits", "2.0", "1.0", "0.50", "FAILED", "4.0", "6.0", "1.50"]


def test_a_row_that_was_not_split_says_so(tmp_path: Path) -> None:
    first = noted(tmp_path, "2 workers", "same bits", (1.0, 1.0), told="WARN Imaged in one process: facets\n")
    second = noted(tmp_path, "2 workers", "same bits", (1.0, 1.0), told="WARN something else\n")
    claims = [matrix.gathered([Report(entry)])["cube"].verdicts["2 workers"] for entry in (first, second)]
    assert claims == ["same bits, one process", "same bits"]


def test_a_way_that_was_not_run_is_a_dash(tmp_path: Path) -> None:
    row = matrix.gathered([Report(noted(tmp_path, "serial", "same bits", (1.0, 1.0)))])["cube"]
    assert row.cells("2 workers") == ["-"] * 4
