"""The CASA logs of workers: what of them the user's own log is told."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

WARNING = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\t(?:WARN|SEVERE)\t(?P<origin>[^\t]*)\t(?P<message>.*)")


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
        for match in WARNING.finditer(text):
            ranks = found.setdefault((match["origin"], match["message"].strip()), [])
            if rank not in ranks:
                ranks.append(rank)
    return [f"worker {', '.join(map(str, ranks))}: {message} ({origin})" for (origin, message), ranks in found.items()]
