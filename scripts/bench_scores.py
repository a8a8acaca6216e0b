"""What the contestants of scripts/bench came to, as tables and as plain data."""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass
from typing import Any


@dataclass
class Score:
    """What one contestant came to in one case."""

    contestant: str
    seconds: list[float]
    cpu_seconds: list[float]
    peaks_mb: list[float]
    differences: dict[str, float] | None = None

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


def ratios(reference: Score, score: Score) -> list[float]:
    """How many times quicker than the reference, run by run."""
    return [first / second for first, second in zip(reference.seconds, score.seconds, strict=True)]


def table(title: str, scores: list[Score]) -> str:
    """The outcome of one case as text."""
    header = (
        *("contestant", "runs [s]", "median [s]", "CPU [s]", "ratio", "times quicker", "of pairs", "peak [MB]"),
        "largest difference",
    )
    rows = [header]
    for score in scores:
        pairs = ratios(scores[0], score)
        rows.append((
            score.contestant,
            " ".join(f"{seconds:.2f}" for seconds in score.seconds),
            f"{score.median_s:.2f}",
            f"{statistics.median(score.cpu_seconds):.1f}",
            f"{score.median_s / scores[0].median_s:.3f}",
            f"{scores[0].median_s / score.median_s:.2f}",
            f"{min(pairs):.2f} to {max(pairs):.2f}",
            f"{max(score.peaks_mb):.0f}",
            score.difference(),
        ))  # fmt: skip
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([title, *lines, ""])


def outcome(title: str, scores: list[Score]) -> dict[str, Any]:
    """The outcome of one case as plain data."""
    entries = {
        score.contestant: {
            **asdict(score),
            "median_s": score.median_s,
            "times_quicker": scores[0].median_s / score.median_s,
            "times_quicker_pairs": ratios(scores[0], score),
            "largest_difference": score.largest_difference,
            "unlike": score.unlike,
        }
        for score in scores
    }
    return {"title": title, "contestants": entries}
