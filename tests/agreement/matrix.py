"""The matrix: what the rows of the table came to, serial and on workers, in a table at the end of a session.

Tests note what they have run as a property of their report; nothing is kept in a file. A row's times are those of the
tasks alone, without what a process imports first; the two sides of a serial row run at the same time, and tclean's has
the settings of glibc's malloc that pclean makes for itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.agreement.runner import Outcome

PROPERTY = "matrix"
WAYS = ("serial", "2 workers")
Entry = dict[str, Any]
Note = Callable[[Sequence[Outcome], Sequence[Outcome]], None]
UNSPLIT = "Imaged in one process"  # what the log says of a run that can't be split


def noting(record_property: Callable[[str, object], None], case: str, way: str, claim: str, log_dir: Path) -> Note:
    """A function that notes the outcomes of both sides of a row, before they are judged.

    Parameters
    ----------
    record_property : callable
        pytest's fixture.
    case, way : str
        The row's name, and one of WAYS.
    claim : str
        What holds if the test passes, such as 'same bits'.
    log_dir : Path
        Where the CASA logs of both sides are; they say whether the row was split among workers.
    """
    unsplit_before = _unsplit_runs(log_dir)

    def note(expected: Sequence[Outcome], found: Sequence[Outcome]) -> None:
        seconds = [sum(outcome.seconds for outcome in outcomes) for outcomes in (expected, found)]
        unsplit = _unsplit_runs(log_dir) > unsplit_before
        verdict = f"{claim}, one process" if unsplit else claim
        record_property(PROPERTY, {"case": case, "way": way, "claim": verdict, "seconds": seconds})

    return note


def _unsplit_runs(log_dir: Path) -> int:
    return sum(path.read_text(encoding="utf-8").count(UNSPLIT) for path in log_dir.glob("casa-*.log"))


@dataclass
class Row:
    """A row's verdict and seconds of tclean and pclean, way by way."""

    verdicts: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, Sequence[float]] = field(default_factory=dict)

    def cells(self, way: str) -> list[str]:
        """Verdict, seconds of both and their ratio, as text."""
        if way not in self.verdicts:
            return ["-"] * 4
        tclean, pclean = self.seconds[way]
        ratio = f"{pclean / tclean:.2f}" if tclean > 0 else "-"
        return [self.verdicts[way], f"{tclean:.1f}", f"{pclean:.1f}", ratio]


def gathered(reports: Iterable[Any]) -> dict[str, Row]:
    """The rows that pytest's reports have notes of: name of the case -> row."""
    rows: dict[str, Row] = {}
    for report in reports:
        entry: Entry | None = dict(getattr(report, "user_properties", ())).get(PROPERTY)
        if entry is None or report.when != "call":
            continue
        row = rows.setdefault(entry["case"], Row())
        row.verdicts[entry["way"]] = entry["claim"] if report.passed else "FAILED"
        row.seconds[entry["way"]] = entry["seconds"]
    return rows


def lines(rows: dict[str, Row]) -> list[str]:
    """The table as text."""
    table = [["case", *(title for way in WAYS for title in (way, "tclean s", "pclean s", "ratio"))]]
    table += [[name, *(cell for way in WAYS for cell in row.cells(way))] for name, row in rows.items()]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the table where rows were run."""
    reports = [report for entries in terminalreporter.stats.values() for report in entries]
    rows = gathered(report for report in reports if hasattr(report, "when"))
    if rows:
        terminalreporter.section("pclean and tclean")
        for line in lines(rows):
            terminalreporter.line(line)
