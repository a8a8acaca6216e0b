"""The records of parts, merged, are those of the whole."""

from __future__ import annotations

from typing import Any

import numpy as np

from pcleantask import report
from pcleantask.parallel.cube.merge import UNCHANGED, merged_exec_record, merged_init_record


def init(peak: float, masksum: float | None, *, nsigma: float = 0.0, rms: float = 0.0) -> dict[str, Any]:
    record = {"peakresidual": peak, "peakresidualnomask": peak, "maxpsfsidelobe": peak / 10, "nsigmathreshold": nsigma}
    return {"record": record, "masksum": masksum, "rms": rms}


def executed(iterations: int, summary: np.ndarray) -> dict[str, Any]:
    return {"iterdone": iterations, "maxcycleiterdone": iterations, "peakresidual": 0.1, "summaryminor": summary}


def test_a_part_with_an_empty_mask_has_no_say_in_the_peak() -> None:
    record, total = merged_init_record([init(2.0, 0.0), init(1.0, 5.0)], UNCHANGED)
    assert (record["peakresidual"], record["peakresidualnomask"], record["masksum"], total) == (1.0, 2.0, 5.0, 5.0)


def test_without_a_mask_the_largest_peak_counts() -> None:
    for sums in ([None, None], [0.0, 0.0]):
        record, _ = merged_init_record([init(2.0, sums[0]), init(1.0, sums[1])], UNCHANGED)
        assert record["peakresidual"] == 2.0


def test_an_unchanged_mask_is_reported_as_such_unless_it_is_empty() -> None:
    assert merged_init_record([init(1.0, 2.0), init(1.0, 3.0)], 5.0)[0]["masksum"] == UNCHANGED
    assert merged_init_record([init(1.0, 0.0), init(1.0, 0.0)], 0.0)[0]["masksum"] == 0.0


def test_the_noisiest_part_has_the_n_sigma_threshold() -> None:
    found = [init(1.0, None, nsigma=0.3, rms=0.1), init(1.0, None, nsigma=0.2, rms=0.2)]
    assert merged_init_record(found, UNCHANGED)[0]["nsigmathreshold"] == 0.2


def test_iterations_add_up_and_summaries_follow_each_other() -> None:
    short = np.zeros((report.FULL_ROWS.index("startIterDone"), 2))
    record = merged_exec_record([executed(3, short), executed(7, short + 1)])
    assert (record["iterdone"], record["maxcycleiterdone"]) == (10, 7)
    assert np.array_equal(record["summaryminor"], np.concatenate([short, short + 1], axis=1))


def test_full_summaries_count_iterations_through_all_parts() -> None:
    full = np.zeros((len(report.FULL_ROWS), 1))
    merged = merged_exec_record([executed(3, full), executed(7, full), executed(1, full)])["summaryminor"]
    assert merged[report.FULL_ROWS.index("startIterDone")].tolist() == [0, 3, 10]
