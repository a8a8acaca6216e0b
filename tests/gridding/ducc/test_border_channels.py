"""Data on the border of image channels, or beyond the ends of the data, are counted where tclean counts them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from simulate import simulate_ms

from pcleantask import casa
from pcleantask.gridding.data.frames import Observation
from tests.agreement.drawing import in_frame
from tests.gridding.dirty import CUBE, NAME, Imaged
from tests.gridding.ducc.test_gridder import SUMWT, pixels, run_ducc

# Width of the data's channels [Hz], how many of them an image channel has, number of image channels.
BORDERS = (
    (1e6, 1, 8),
    (1e6, -1, 8),
    (976562.5, 2, 4),
    (1.1e6 / 3, 1, 9),
    (1.1e6 / 3, -1, 9),
    (1e6 / 7, 1, 9),
    (1e6 / 7, -2, 4),
    (1e6 / 7, 2, 4),
)


MOVING = {"telescope": "ALMA", "direction": "J2000 10h00m00.0s -25d00m00.0s"}


def flag_by_channel(vis: str) -> None:
    """Flag other numbers of rows in each channel, so that weights tell which channels they are of."""
    with casa.opened_table(vis, writable=True) as table:
        flag = table.getcol("FLAG")
        for channel in range(flag.shape[1]):
            flag[:, channel, : 1 << channel] = True
        table.putcol("FLAG", flag)


def read_first_time(vis: str) -> float:
    """The time of the first integration [s]."""
    with casa.opened_table(vis) as table:
        return float(table.getcol("TIME").min())


@pytest.mark.parametrize(("channel", "count", "nchan"), BORDERS)
def test_data_on_the_border_of_two_channels_go_where_tclean_puts_them(
    channel: float, count: int, nchan: int, imaged: Callable[..., Imaged]
) -> None:
    """Image channels begin in the middle of the data's; rounding decides, and differently along the cube."""
    first = 230.0123456e9
    simulate_ms("border.ms", antennas=22, nintegrations=3, nchannels=10, channel_hz=channel, start_hz=first)
    flag_by_channel("border.ms")
    with casa.opened_table("border.ms/SPECTRAL_WINDOW") as table:
        data = table.getcell("CHAN_FREQ", 0)
    middle = {1: (data[0] + data[1]) / 2, -1: (data[-1] + data[-2]) / 2, 2: data[1], -2: data[-2]}[count]
    parameters = {
        **CUBE, "vis": "border.ms", "interpolation": "nearest", "specmode": "cubedata", "outframe": "", "nchan": nchan,
        "start": f"{float(middle)!r}Hz", "width": f"{count * channel!r}Hz",
    }  # fmt: skip
    tclean = imaged(parameters)
    axis = tclean.read().axis
    distance = abs(np.abs(np.subtract.outer(data, axis.frequency)) / abs(count * channel) - 0.5)
    assert distance.min() < 1e-6
    theirs = tclean.images["sumwt"].ravel()
    run_ducc(parameters)
    ours = pixels(f"ducc/{NAME}.sumwt").ravel()
    assert theirs.max() > 0
    np.testing.assert_allclose(ours, theirs, rtol=SUMWT)


@pytest.mark.parametrize("nchan", [1, 6])
@pytest.mark.parametrize("outframe", ["LSRK", "GEO", "CMB", "LSRD", "GALACTO"])
def test_moving_data_on_the_border_go_where_tclean_puts_them(
    outframe: str, nchan: int, imaged: Callable[..., Imaged]
) -> None:
    """Image channels begin in the middle of the data's as they are in the first integration.

    CASA takes frequencies to the image's frame and back again; single channels and 'nearest' are gridded as they are.
    """
    simulate_ms("moving.ms", antennas=22, nintegrations=3, nchannels=10, channel_hz=1e6, start_hz=230.0123456e9)
    flag_by_channel("moving.ms")
    with casa.opened_table("moving.ms/SPECTRAL_WINDOW") as table:
        data = table.getcell("CHAN_FREQ", 0)
    first = read_first_time("moving.ms")
    middle, edge = (in_frame(value, outframe, MOVING, first) for value in ((data[2] + data[3]) / 2, data[3]))
    parameters = {
        **CUBE, "vis": "moving.ms", "outframe": outframe, "nchan": nchan, "start": f"{middle!r}Hz",
        "width": f"{2 * (edge - middle)!r}Hz", "interpolation": "nearest" if nchan > 1 else "linear",
    }  # fmt: skip
    tclean = imaged(parameters)
    axis = tclean.read().axis
    pixel = axis.pixel(data * Observation("moving.ms").doppler_factors(0, np.array([first]), "TOPO"))
    assert np.abs(np.abs(pixel[2:4]) - 0.5).max() < 1e-7
    theirs = tclean.images["sumwt"].ravel()
    run_ducc(parameters)
    ours = pixels(f"ducc/{NAME}.sumwt").ravel()
    assert theirs.max() > 0
    np.testing.assert_allclose(ours, theirs, rtol=SUMWT)


@pytest.mark.parametrize("weighting", ["uniform", "briggs"])
def test_single_channel_beyond_the_ends_of_the_data_has_its_own_density(
    weighting: str, imaged: Callable[..., Imaged]
) -> None:
    """Between channels of the data its density is interpolated, and there is none where one of them is flagged."""
    simulate_ms("ended.ms", antennas=12, nintegrations=3, nchannels=4, channel_hz=1e6, start_hz=230e9)
    with casa.opened_table("ended.ms", writable=True) as table:
        flag = table.getcol("FLAG")
        flag[:, 2] = True
        table.putcol("FLAG", flag)
    parameters = {**CUBE, "vis": "ended.ms", "nchan": 1, "weighting": weighting, "perchanweightdensity": True}
    last = in_frame(230.003e9, "LSRK", MOVING, read_first_time("ended.ms"))
    found = []
    for folder, place in (("beyond", 0.3), ("between", -0.3)):
        parameters |= {"start": f"{last + place * 1e6!r}Hz", "width": "1.0001MHz"}
        theirs = imaged(parameters).images["sumwt"].ravel()
        run_ducc(parameters, folder)
        np.testing.assert_allclose(pixels(f"{folder}/{NAME}.sumwt").ravel(), theirs, rtol=SUMWT)
        found.append(theirs.max())
    assert found[0] > 0
    assert found[1] == 0
