"""Whether slabs of a cube would be gridded as the whole is: worked out from frequencies alone."""

from __future__ import annotations

import itertools
import random
from typing import Any

import numpy as np
import pytest

from pcleantask.parallel.cube.exactness import Coverage, data_frequencies, model_frequencies, why_inexact, widest_gap
from pcleantask.parallel.partition import slabs

START, WIDTH, NCHAN = 230e9, 2e6, 40
AXIS = START + WIDTH * np.arange(NCHAN)  # exact: a whole number of Hz


def covered(first: float, last: float, *, width: float = WIDTH, number: int = 0, **more: Any) -> Coverage:
    """Data from one channel of AXIS to another, counted in its channels."""
    count = round((last - first) * WIDTH / width) + 1
    frequency = START + first * WIDTH + width * np.arange(count)
    return Coverage(**{"number": number, "frequency": frequency, "shifts": np.ones(1), "window_size": count, **more})


def reason(*data: Coverage, axis: np.ndarray = AXIS, nparts: int = 2, **more: Any) -> str:
    parameters: dict[str, Any] = {"interpolation": "linear", "has_densities": False, **more}
    return why_inexact(axis, slabs(len(axis), nparts, 2), data, **parameters)


@pytest.mark.parametrize("nparts", [1, 2, 3, 7])
@pytest.mark.parametrize("shift", [1.0, 1 - 1e-6, 1 + 1e-6])
def test_data_of_the_cubes_channels_may_be_cut_anywhere(shift: float, nparts: int) -> None:
    assert reason(covered(-3, 44, shifts=np.array([1.0, shift])), nparts=nparts) == ""


def test_an_axis_that_rounding_makes_uneven_can_not_be_cut() -> None:
    uneven = AXIS * (1 + 1.2345678e-5)  # as of another frame
    data = covered(-3, 44, shifts=1 + 1.2345678e-5 + np.array([-1e-9, 1e-9]))
    assert "last bits" in reason(data, axis=uneven)
    assert reason(data, axis=uneven, interpolation="nearest") == ""
    assert reason(data, axis=uneven, nparts=1) == ""


def test_a_whole_number_of_data_channels_can_not_be_cut_where_casa_selects_channels() -> None:
    short, long = covered(-1, 41, width=WIDTH / 2), covered(-1, 41, width=WIDTH / 2, window_size=200)
    few = Coverage(0, short.frequency, short.shifts, 29)
    assert "last bits" in reason(long)
    assert "last bits" not in reason(few)
    uneven = covered(-1, 41, width=WIDTH / 2.4, window_size=200)
    assert "last bits" not in reason(uneven, interpolation="nearest")


@pytest.mark.parametrize(("first", "last", "expected"), [
    (10.2, 30.2, True), (10.2, 50, False), (-5, 30.2, False), (-5, 50, False), (2.2, 12.2, False),
])  # fmt: skip
def test_no_part_may_end_within_data_that_begin_and_end_inside(first: float, last: float, expected: bool) -> None:
    everywhere = covered(-5, 50)
    found = reason(everywhere, covered(first, last, width=WIDTH / 3))
    assert ("inside the cube" in found) == expected


def test_data_with_a_gap_at_the_cubes_end_begin_inside() -> None:
    everywhere = covered(-5, 50)
    begins = Coverage(0, AXIS[0] + WIDTH * np.array([-4.0, -3.0, *np.arange(0.9, 25)]), np.ones(1), 28)
    assert "inside the cube" in reason(everywhere, begins)
    assert "inside the cube" not in reason(everywhere, begins, interpolation="nearest")
    near = Coverage(0, AXIS[0] + WIDTH * np.array([-4.0, -1.0, *np.arange(0.9, 25)]), np.ones(1), 28)
    assert "inside the cube" not in reason(everywhere, near)


def test_each_part_needs_data_of_each_measurement_set() -> None:
    everywhere = covered(-5, 50)
    assert "no data for one of the parts" in reason(everywhere, covered(-5, 12, number=1))
    assert reason(everywhere, covered(-5, 50, number=1)) == ""
    windows = [covered(-5, 12, number=1), covered(10, 50, number=1)]
    assert reason(everywhere, *windows) == ""
    assert "no data for one of the parts" in reason(everywhere, *windows, has_densities=True)
    assert reason(*(covered(-5, 12), covered(10, 50)), has_densities=True) == ""


@pytest.mark.parametrize(("nchan", "swing", "is_shared"), [
    (30, 30, True),  # a density each, in the whole and in parts
    (100, 2, False),  # one in the whole, one each in parts
    (900, 2, True),  # one in both
])  # fmt: skip
def test_data_sets_share_a_density_by_the_number_of_channels(nchan: int, swing: float, is_shared: bool) -> None:
    axis = START + WIDTH * np.arange(nchan)
    data = [
        covered(-40, nchan + 40, number=number, shifts=np.full(1, 1 + number * swing * WIDTH / START))
        for number in range(2)
    ]
    assert ("densities" not in reason(*data, axis=axis, has_densities=True)) == is_shared
    assert "densities" not in reason(*data, axis=axis)
    assert "densities" not in reason(data[0], axis=axis, has_densities=True)


def test_gaps_in_the_selection_are_seen() -> None:
    whole = covered(-5, 50)
    gap = Coverage(0, np.concatenate([whole.frequency[:20], whole.frequency[30:]]), np.ones(1), 56)
    assert widest_gap(AXIS, [whole]) == WIDTH
    assert widest_gap(AXIS, [whole, gap]) == 11 * WIDTH
    far = Coverage(0, np.concatenate([AXIS[:20], AXIS[-1] + 10 * WIDTH * np.arange(2, 9)]), np.ones(1), 56)
    assert widest_gap(AXIS[:15], [far]) == WIDTH


def running_sum(start: float, step: float, count: int) -> list[float]:
    found = [start]
    for _ in range(count - 1):
        found.append(found[-1] + step)
    return found


@pytest.mark.parametrize("seed", range(20))
def test_frequencies_of_interpolation_are_running_sums_from_the_first_channel_with_data(seed: int) -> None:
    draw = random.Random(seed)
    sign, rate = draw.choice([1, -1]), draw.randint(1, 5)
    axis = START + sign * draw.uniform(0.3, 3) * 1e6 * np.arange(30)
    width = abs(axis[1] - axis[0])
    first = draw.randint(1, 10)
    lowest = np.sort(axis)[first] - 0.3 * width
    rises = draw.random() < 0.5
    found = data_frequencies(axis, lowest, axis.max() + 5 * width, rate, rises=rises, interpolation="linear")
    step = width / rate
    place = np.sort(axis)[first - (sign < 0)]
    begin = place - step - (width / 2 - step / 2) if rises else axis.max() + step + (width / 2 - step / 2)
    assert found.tolist() == running_sum(begin, step if rises else -step, len(found))
    assert found.max() > axis.max() + width / 2 - step
    assert found.min() < place


@pytest.mark.parametrize("rate", [1, 2, 3, 7])
def test_a_models_samples_stand_evenly_within_channels(rate: int) -> None:
    samples = model_frequencies(AXIS, rate).reshape(NCHAN, rate)
    assert np.allclose(samples.mean(axis=1), AXIS, rtol=0, atol=1e-3)
    assert all(b - a == pytest.approx(WIDTH / rate) for a, b in itertools.pairwise(samples.ravel().tolist()))
