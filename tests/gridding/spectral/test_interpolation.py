"""Places between points, to the last bit: against a search written out, one integration at a time."""

from __future__ import annotations

import numpy as np
import pytest

from pcleantask.gridding.spectral.interpolation import Exact, bracket

POINTS = np.cumsum(np.full(9, 999989.1641235352)) + 230e9
SHIFT = np.array([1 - 1.1e-5, 1 - 1.2e-5, 1 - 1.3e-5])


def expected(points: np.ndarray, place: float) -> tuple[int, float, bool]:
    """The point before a place, the fraction, and whether it is flagged, as InterpolateArray1D has them."""
    sign = 1 if points[-1] > points[0] else -1
    where = int((sign * points < sign * place).sum())
    outside = where == len(points) or (where == 0 and place != points[0])
    high = min(max(where, 1), len(points) - 1)
    return high - 1, (place - points[high - 1]) / (points[high] - points[high - 1]), outside


@pytest.mark.parametrize("falling", [False, True], ids=["rising", "falling"])
def test_places_on_points_or_a_bit_beside_them_are_settled_exactly(falling: bool) -> None:
    points = POINTS[::-1] if falling else POINTS
    measured = points / SHIFT[1] * (1 + 3e-16)  # what the shift makes of it is some bits off the points
    assert (measured * SHIFT[1] != points).all()
    bit = np.spacing(points[0])
    outside = []
    exact = Exact(points[np.newaxis], np.array([-1, 0, -1]))
    for number in range(len(points)):
        places = points[number] + bit * np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
        rough = bracket(measured, places[np.newaxis] / SHIFT[:, np.newaxis])
        found = exact.settle(rough, places[np.newaxis])
        for place, value in enumerate(places):
            low, fraction, beyond = expected(points, value)
            assert found.low[1, place] == low
            assert found.high[1, place] == low + 1
            assert found.fraction[1, place] == fraction
            assert found.outside[1, place] == beyond
            outside.append(beyond)
        for time in (0, 2):
            assert (found.low[time] == rough.low[time]).all()
            assert (found.outside[time] == rough.outside[time]).all()
    assert sum(outside) == 4  # two beyond each end


def test_what_is_beyond_by_rounding_is_not_outside_before_it_is_settled() -> None:
    found = bracket(POINTS, POINTS[[0, -1]] + np.array([[-0.01, 0.01], [-1.0, 1.0]]))
    assert found.outside.tolist() == [[False, False], [True, True]]


def test_some_integrations_have_their_own_exact_frequencies() -> None:
    exact = Exact(np.arange(6.0).reshape(3, 2), np.array([-1, 2, 0, -1, 1, 2]))
    assert exact.one_of_each.tolist() == [2, 4, 1]
    for times in ([0, 3], [5, 4], [0, 1, 2], [2, 4, 1, 5]):
        some = exact.at(np.array(times))
        for kind, time in zip(some.kind, times, strict=True):
            assert (kind < 0) == (exact.kind[time] < 0)
            assert kind < 0 or (some.frequency[kind] == exact.frequency[exact.kind[time]]).all()
    assert exact.put(np.zeros(6), np.array([7.0, 8.0, 9.0])).tolist() == [0, 9, 7, 0, 8, 9]


def test_exact_frequencies_take_the_place_of_others() -> None:
    exact = Exact(np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), np.array([-1, 1, 0]))
    shift = np.array([1.0, 2.0, 3.0])
    assert exact.at_all(np.array([10.0, 20.0, 30.0]), shift).tolist() == [[10, 20, 30], [4, 5, 6], [1, 2, 3]]
    assert exact.of_channels(slice(1, 3)).at_all(np.array([20.0, 30.0]), shift).tolist() == [[20, 30], [5, 6], [2, 3]]
    channel = np.array([[2, 0], [1, 1]])
    assert exact.at_own(np.zeros((2, 2)), channel, np.array([1, 0])).tolist() == [[6, 4], [0, 0]]


def test_where_rounding_matters_nowhere_nothing_is_changed() -> None:
    exact = Exact.nowhere(3)
    values = np.arange(3.0)
    assert exact.put(values, np.empty(0)) is values
    assert len(exact.one_of_each) == 0
