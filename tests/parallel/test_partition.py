"""Shares of channels and rows cover the whole, once each, and differ little in cost."""

from __future__ import annotations

import pytest

from pcleantask.parallel.partition import (
    Slab,
    field_shares,
    guards_needed,
    row_shares,
    slabs,
    useful_parts,
)


@pytest.mark.parametrize("nchan", [1, 2, 3, 6, 12, 64])
@pytest.mark.parametrize("nparts", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("nguards", [1, 2, 4])
def test_slabs_cover_every_channel_once(nchan: int, nparts: int, nguards: int) -> None:
    parts = slabs(nchan, nparts, nguards)
    assert [channel for part in parts for channel in range(part.start, part.stop)] == list(range(nchan))
    assert len(parts) == min(nchan, nparts)
    assert all(part.stop > part.start for part in parts)


@pytest.mark.parametrize("nguards", [1, 2])
def test_slabs_cost_alike_with_their_guards(nguards: int) -> None:
    sizes = [part.size for part in slabs(64, 4, nguards)]
    assert max(sizes) - min(sizes) <= 1


def test_guards_stand_beyond_inner_edges_only() -> None:
    first, middle, last = slabs(12, 3, 2)
    assert (first.first, last.last) == (0, 12)
    assert first.guards == (first.size - 2, first.size - 1)
    assert middle.guards == (0, 1, middle.size - 2, middle.size - 1)
    assert last.guards == (0, 1)


def test_a_slab_counts_its_own_channels_from_its_first() -> None:
    slab = Slab(4, 8, 12, 2)
    assert (slab.first, slab.last, slab.size, slab.own) == (2, 10, 8, range(2, 6))


@pytest.mark.parametrize(
    ("interpolation", "ratio", "expected"),
    [("linear", 0.5, 1), ("linear", 1.0, 2), ("linear", 2.5, 3), ("nearest", 1.0, 1), ("nearest", 2.0, 1),
     ("nearest", 3.0, 2), ("cubic", 0.4, 2), ("cubic", 1.0, 4)],
)  # fmt: skip
def test_guards_reach_as_far_as_interpolation(interpolation: str, ratio: float, expected: int) -> None:
    assert guards_needed(interpolation, ratio) == expected


def test_rows_are_shared_evenly_over_measurement_sets() -> None:
    assert row_shares([10, 6], 2) == [
        ["ROWNUMBER() > 0 && ROWNUMBER() <= 8", None],
        ["ROWNUMBER() > 8 && ROWNUMBER() <= 10", "ROWNUMBER() > 0 && ROWNUMBER() <= 6"],
    ]


def test_there_are_no_more_shares_than_rows() -> None:
    assert len(row_shares([2, 1], 8)) == 3


def test_a_field_is_never_split() -> None:
    shares = field_shares([{0: 10, 1: 30}, {0: 25}], 2)
    assert shares == [["FIELD_ID IN [1]", None], ["FIELD_ID IN [0]", "FIELD_ID IN [0]"]]
    assert len(field_shares([{0: 10}], 4)) == 1


@pytest.mark.parametrize(("nrows", "nparts", "useful"), [(0, 4, 1), (900, 2, 1), (54_180, 2, 2), (54_180, 16, 6)])
def test_parts_have_rows_enough_for_a_worker(nrows: int, nparts: int, useful: int) -> None:
    assert useful_parts(nrows, nparts) == useful
