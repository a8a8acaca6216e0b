"""Records of a cube's parts -> the one record that the whole cube would give. Arithmetic only.

Merging the parts' records one by one in CASA's iteration control stops too early or too late where some part has an
empty mask: such a part reports its unmasked peak, and a mask sum of zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypedDict

import numpy as np

from ... import report
from ...minorrecords import ExecRecord, InitRecord

UNCHANGED = -1.0  # a mask sum that is as it was, or isn't there
LARGEST: tuple[Literal["peakresidualnomask", "maxpsfsidelobe", "madrms"], ...] = (
    "peakresidualnomask",
    "maxpsfsidelobe",
    "madrms",
)


class SlabRecord(TypedDict):
    """A part before a minor cycle: CASA's record, the mask's sum (None without a mask), the planes' largest rms."""

    record: InitRecord
    masksum: float | None
    rms: float


def merged_init_record(found: Sequence[SlabRecord], former_sum: float) -> tuple[InitRecord, float]:
    """The record for `IterationControl.converged`, and the whole mask's sum (-1 where there is no mask).

    Parameters
    ----------
    found : sequence of SlabRecord
        One of each part.
    former_sum : float
        The whole mask's sum at the record before; -1 before the first.
    """
    sums = [part["masksum"] for part in found]
    total = UNCHANGED if all(entry is None for entry in sums) else float(sum(entry or 0.0 for entry in sums))
    records = [part["record"] for part in found]
    merged = records[0].copy()
    merged["peakresidual"] = max(
        0.0 if total > 0 and entry == 0 else float(record["peakresidual"])
        for record, entry in zip(records, sums, strict=True)
    )
    for name in LARGEST:
        if name in merged:
            merged[name] = max(record[name] for record in records)
    noisiest = int(np.argmax([part["rms"] for part in found]))
    merged["nsigmathreshold"] = records[noisiest]["nsigmathreshold"]
    merged["masksum"] = total if total != former_sum or total == 0 else UNCHANGED
    return merged, total


def merged_exec_record(records: Sequence[ExecRecord]) -> ExecRecord:
    """The record for `IterationControl.end_minor_cycle`; summaries stand one after the other, in order of channels."""
    merged = records[0].copy()
    merged["iterdone"] = sum(int(record["iterdone"]) for record in records)
    merged["maxcycleiterdone"] = max(int(record["maxcycleiterdone"]) for record in records)
    merged["peakresidual"] = max(float(record["peakresidual"]) for record in records)
    merged["updatedmodelflag"] = any(record.get("updatedmodelflag", False) for record in records)
    merged["summaryminor"] = np.concatenate(_with_running_counts(records), axis=1)
    return merged


def _with_running_counts(records: Sequence[ExecRecord]) -> list[np.ndarray]:
    """The summaries; in full ones each plane starts with the count of iterations of all planes before it."""
    row = report.FULL_ROWS.index("startIterDone")
    summaries, before = [], 0
    for record in records:
        summary = np.array(record["summaryminor"])
        if len(summary) > row:
            summary[row] += before
        summaries.append(summary)
        before += int(record["iterdone"])
    return summaries
