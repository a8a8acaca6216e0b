"""Interpolation between data channels and a cube's: tables against numpy, one integration at a time."""

from __future__ import annotations

import numpy as np
import pytest

from pcleantask.gridding.spectral import axis as spectral
from pcleantask.gridding.spectral.axis import LinearRegridding, SpectralAxis
from pcleantask.gridding.spectral.interpolation import Exact

SHIFT = np.array([1 - 1.2e-5, 1 - 1.19e-5, 1 - 1.15e-5])
DATA = 230e9 + 1e6 * np.arange(12)
AXES = {
    "as wide as the data's": SpectralAxis(229.9985e9 + 1e6 * np.arange(6), 1e6),
    "narrower": SpectralAxis(230.0012e9 + 0.7e6 * np.arange(6), 0.7e6),
    "falling": SpectralAxis(230.0052e9 - 1e6 * np.arange(6), -1e6),
    "a little wider": SpectralAxis(229.9985e9 + 1.4e6 * np.arange(5), 1.4e6),
}


@pytest.mark.parametrize("falling", [False, True], ids=["rising data", "falling data"])
@pytest.mark.parametrize("name", AXES)
def test_brackets_interpolate_as_numpy_does(name: str, falling: bool) -> None:
    frequency = DATA[::-1] if falling else DATA
    values = np.random.default_rng(3).standard_normal(len(frequency))
    regridding = LinearRegridding(AXES[name], frequency, SHIFT, 1)
    order = np.argsort(frequency)
    for channel, place in enumerate(AXES[name].frequency):
        found = regridding.brackets(channel)
        mixed = values[found.low] * (1 - found.fraction) + values[found.high] * found.fraction
        for time, shift in enumerate(SHIFT):
            expected = np.interp(place, frequency[order] * shift, values[order], np.nan, np.nan)
            assert found.outside[time, 0] == np.isnan(expected)
            if not np.isnan(expected):
                assert mixed[time, 0] == pytest.approx(expected, abs=1e-6)


def test_image_channels_twice_as_wide_are_sampled_twice() -> None:
    axis = SpectralAxis(229.999e9 + 2.2e6 * np.arange(4), 2.2e6)
    assert spectral.samples_per_channel(axis, DATA, SHIFT).tolist() == [2, 2, 2]
    regridding = LinearRegridding(axis, DATA, SHIFT, 2)
    assert regridding.sampled(1) == pytest.approx(axis.frequency[1] + np.array([-0.55e6, 0.55e6]), rel=1e-15)


def test_integrations_are_found_whose_channels_meet_the_images() -> None:
    shift = SHIFT[1]
    met = DATA[2] * shift
    axes = {
        "aligned": (SpectralAxis(met + 1e6 * shift * np.arange(6), 1e6 * shift), [1]),
        "beside": (SpectralAxis(met + 0.1e6 + 1.3e6 * shift * np.arange(6), 1.3e6 * shift), []),
        "twice as wide": (SpectralAxis(met + 0.3e6 + 2e6 * shift * np.arange(4), 2e6 * shift), [1]),
        "met by one": (SpectralAxis(met - 2.7e6 + 1.35e6 * np.arange(6), 1.35e6), [1]),
        "sampled twice": (SpectralAxis(met + 0.55e6 + 2.2e6 * np.arange(4), 2.2e6), [1]),
    }
    for name, (axis, expected) in axes.items():
        assert spectral.meetings(axis, DATA, SHIFT).tolist() == expected, name


def test_ends_of_data_are_exact_where_frequencies_are() -> None:
    """A channel that is a bit beyond the end of the data has none of that integration, one on it has."""
    axis = AXES["as wide as the data's"]
    ends = axis.frequency[[0, -1]]
    for first, last, expected in ((0, 0, [0, 5]), (1, 0, [5]), (0, -1, [0]), (1, -1, [])):
        frequency = np.linspace(*(ends + np.spacing(ends) * [first, last]), 5)
        exact = Exact(frequency[np.newaxis], np.array([0]))
        regridding = LinearRegridding(axis, frequency / SHIFT[0], SHIFT[:1], 1, exact)
        assert [number for number in (0, 5) if not regridding.brackets(number).outside.any()] == expected
        assert not regridding.brackets(2).outside.any()


@pytest.mark.parametrize("falling", [False, True], ids=["rising data", "falling data"])
def test_samples_in_wide_channels_are_sums_of_steps_where_frequencies_are_exact(falling: bool) -> None:
    width = 2.1000003e6
    axis = SpectralAxis(230e9 + width * np.arange(40), width)
    step = -width / 2 if falling else width / 2
    start = axis.frequency[-1] + 1.5 * width - width / 4 if falling else axis.frequency[0] - 1.5 * width + width / 4
    listed = [start + step]
    while len(listed) < 81:
        listed.append(listed[-1] + step)
    frequency = np.array(listed[1:])  # the data's channels are where CASA samples the image's
    exact = Exact(frequency[np.newaxis], np.array([0]))
    regridding = LinearRegridding(axis, frequency / SHIFT[0], SHIFT[:1], 2, exact)
    found = [regridding.brackets(number) for number in range(axis.nchan)]
    assert not any(one.outside.any() for one in found)
    assert all(((one.fraction == 0) | (one.fraction == 1)).all() for one in found)
    straight = np.concatenate([regridding.sampled(number) for number in range(axis.nchan)])
    assert not np.isin(straight, frequency).all()


@pytest.mark.parametrize("axis", [AXES["as wide as the data's"], AXES["falling"]], ids=["rising", "falling"])
def test_a_prediction_that_is_linear_in_frequency_comes_back_as_it_was(axis: SpectralAxis) -> None:
    regridding = LinearRegridding(axis, DATA, SHIFT, 1)
    planes = 3.0 + (axis.frequency - axis.frequency[0]) / 1e6
    for channel in range(1, axis.nchan - 1):
        shares = regridding.coupling(channel)
        assert set(shares) <= {channel - 1, channel, channel + 1}
        total = sum(planes[number] * share for number, share in shares.items())
        assert total == pytest.approx(planes[channel], abs=1e-6)


def test_channels_meet_where_they_are_nearest() -> None:
    axis = AXES["as wide as the data's"]
    near = axis.frequency[:, np.newaxis] + np.array([-0.4e6, 0.0, 0.4e6])
    assert (spectral.channel_map(axis, near) == np.arange(6)[:, np.newaxis]).all()
    assert (spectral.channel_map(axis, np.array([axis.frequency[0] - 0.6e6, axis.frequency[-1] + 0.6e6])) == -1).all()


def test_an_uneven_axis_is_followed() -> None:
    frequency = 230e9 + np.array([0.0, 1.0, 2.1, 3.3, 4.6]) * 1e6
    axis = SpectralAxis(frequency, 1e6)
    assert axis.pixel(frequency) == pytest.approx(np.arange(5), abs=1e-9)
    assert axis.pixel((frequency[1:] + frequency[:-1]) / 2) == pytest.approx(np.arange(4) + 0.5, abs=1e-9)
    assert axis.pixel(np.array([frequency[0] - 1e6, frequency[-1] + 1.3e6])) == pytest.approx([-1, 5], abs=1e-9)


def test_an_uneven_axis_is_sampled_at_one_even_list() -> None:
    """Channels of 2.2 and more of the data's: each place is in one channel, and all are as far from the next."""
    axis = SpectralAxis(230e9 + np.array([0.0, 2.2, 4.5, 6.9, 9.4]) * 1e6, 2.2e6)
    data, shift = 229.998e9 + 1e6 * np.arange(16), np.ones(3)
    samples = spectral.samples_per_channel(axis, data, shift)
    assert spectral.lattices(axis, data, shift, samples).tolist() == [0, 0, 0]
    regridding = LinearRegridding(axis, data, shift, 2, listed=True)
    places = np.concatenate([regridding.sampled(channel) for channel in range(5)])
    gaps = np.diff(places) / 1.1e6
    assert gaps == pytest.approx(np.rint(gaps), abs=1e-6)
    assert len(np.unique(places)) == len(places) >= 10
    assert places[0] == pytest.approx(axis.frequency[0] - 0.55e6)


@pytest.mark.parametrize(
    ("frequency", "data"), [([230e9, 230.001e9, 230.003e9], [230e9]), ([230e9], [230e9, 230.001e9])]
)
def test_what_is_not_interpolated_has_no_list(frequency: list[float], data: list[float]) -> None:
    axis, shift = SpectralAxis(np.array(frequency), 1e6), np.ones(2)
    samples = spectral.samples_per_channel(axis, np.array(data), shift)
    assert spectral.lattices(axis, np.array(data), shift, samples).tolist() == [-1, -1]
