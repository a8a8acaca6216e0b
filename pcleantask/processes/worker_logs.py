"""The CASA logs of workers: what of them the user's own log is told."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .. import casa


def warnings(logs: Sequence[Path]) -> list[str]:
    """What the workers were warned of, each warning once, with the ranks of those that had it.

    Parameters
    ----------
    logs : sequence of Path
        Each worker's log, in the order of ranks; one that isn't there has no warnings.
    """
    found: dict[tuple[str, str], list[int]] = {}
    for rank, log in enumerate(logs):
        text = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
        for warning in casa.grave_messages(text):
            ranks = found.setdefault(warning, [])
            if rank not in ranks:
                ranks.append(rank)
    return [f"worker {', '.join(map(str, ranks))}: {message} ({origin})" for (origin, message), ranks in found.items()]
