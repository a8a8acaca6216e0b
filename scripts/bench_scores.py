"""What the contestants of scripts/bench came to, as tables and as plain data."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class Score:
    """What one contestant came to in one case, or in one step of a growth.

    Attributes
    ----------
    seconds, cpu_seconds, peaks_mb : list of float
        Wall time and processors' time [s], and peak of memory [MB], run by run.
    differences : dict
        The largest pixel difference of each image, by suffix.
    """

    name: str
    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    peaks_mb: list[float] = field(default_factory=list)
    differences: dict[str, float] | None = None

    def add(self, seconds: float, cpu_seconds: float, peak_mb: float) -> None:
        """One more run."""
        self.seconds.append(seconds)
        self.cpu_seconds.append(cpu_seconds)
        self.peaks_mb.append(peak_mb)

    @property
    def median_s(self) -> float:
        """Median of the runs [s]."""
        return statistics.median(self.seconds)

    @property
    def largest_difference(self) -> float | None:
        """Of all images that can be compared; None where there are none, as for the contestant that is the measure."""
        found = [value for value in (self.differences or {}).values() if value != float("inf")]
        return max(found, default=None)

    @property
    def unlike(self) -> list[str]:
        """Images that can't be compared: missing, of another shape, or blank in other places."""
        return [name for name, value in (self.differences or {}).items() if value == float("inf")]

    def difference(self) -> str:
        """The largest difference in words."""
        largest = "-" if self.largest_difference is None else f"{self.largest_difference:.3g}"
        return f"{largest} (not alike: {' '.join(self.unlike)})" if self.unlike else largest


def ratios(first: Score, second: Score) -> list[float]:
    """How many times as long as the second the first has taken, run by run."""
    return [one / other for one, other in zip(first.seconds, second.seconds, strict=True)]


def table(scores: list[Score]) -> str:
    """The outcome of one case as text; ratios are those to the first contestant."""
    header = (
        *("contestant", "runs [s]", "median [s]", "CPU [s]", "ratio", "times quicker", "of pairs", "peak [MB]"),
        "largest difference",
    )
    rows = [header]
    for score in scores:
        rows.append((
            *_times(score),
            f"{score.median_s / scores[0].median_s:.3f}",
            f"{scores[0].median_s / score.median_s:.2f}",
            _span(ratios(scores[0], score)),
            f"{max(score.peaks_mb):.0f}",
            score.difference(),
        ))  # fmt: skip
    return _aligned(rows)


def growth_table(scores: list[Score]) -> str:
    """The outcome of one growth as text; ratios are those to the step before."""
    rows = [("step", "runs [s]", "median [s]", "CPU [s]", "ratio", "of pairs", "peak [MB]")]
    for before, score in _in_steps(scores):
        grown = (f"{score.median_s / before.median_s:.2f}", _span(ratios(score, before))) if before else ("-", "-")
        rows.append((*_times(score), *grown, f"{max(score.peaks_mb):.0f}"))
    return _aligned(rows)


def _in_steps(scores: list[Score]) -> Iterator[tuple[Score | None, Score]]:
    """Each with the one before, which the first has not."""
    return zip([None, *scores[:-1]], scores, strict=True)


def _times(score: Score) -> tuple[str, str, str, str]:
    runs = " ".join(f"{seconds:.2f}" for seconds in score.seconds)
    return score.name, runs, f"{score.median_s:.2f}", f"{statistics.median(score.cpu_seconds):.1f}"


def _span(values: list[float]) -> str:
    return f"{min(values):.2f} to {max(values):.2f}"


def _aligned(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join(lines)


def outcome(scores: list[Score]) -> dict[str, Any]:
    """The outcome of one case as plain data."""
    entries = {
        score.name: {
            **asdict(score),
            "median_s": score.median_s,
            "times_quicker": scores[0].median_s / score.median_s,
            "times_quicker_pairs": ratios(scores[0], score),
            "largest_difference": score.largest_difference,
            "unlike": score.unlike,
        }
        for score in scores
    }
    return {"contestants": entries}


def growth_outcome(scores: list[Score]) -> dict[str, Any]:
    """The outcome of one growth as plain data."""
    entries = [
        {
            **asdict(score),
            "median_s": score.median_s,
            "ratio": score.median_s / before.median_s if before else None,
            "ratio_pairs": ratios(score, before) if before else [],
        }
        for before, score in _in_steps(scores)
    ]
    return {"steps": entries}
