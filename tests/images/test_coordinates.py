"""An image's coordinates, as CASA's record has them."""

from __future__ import annotations

import numpy as np
import pytest

from pcleantask import casa
from pcleantask.images.coordinates import ImageCoordinates, LinearAxis

ARCSEC = np.pi / (180 * 3600)


@pytest.fixture
def made() -> ImageCoordinates:
    """Six channels of 2 MHz from 1.4 GHz on, pixels of 3 by 2 arcsec, I and V."""
    with casa.tool("coordsys") as tool:
        coordinates = tool.newcoordsys(direction=True, spectral=True, stokes=["I", "V"])
        tool.fromrecord(coordinates.torecord())
        coordinates.done()
        tool.reorder([0, 2, 1]) if tool.axiscoordinatetypes()[2] == "Spectral" else None
        tool.setunits(["arcsec", "arcsec", "", "Hz"])
        tool.setincrement([-3.0, 2.0, 1.0, 2e6])
        tool.setreferencevalue([[3600.0, -7200.0], [1.0], [1.4e9]][0], "direction")
        tool.setreferencevalue(1.4e9, "spectral")
        tool.setreferencepixel([1.0], "spectral")
        tool.settelescope("ALMA")
        return ImageCoordinates(tool.torecord(), 6)


def test_values_are_in_radians_and_hertz(made: ImageCoordinates) -> None:
    assert made.stokes == ("I", "V")
    assert made.cell == pytest.approx((-3 * ARCSEC, 2 * ARCSEC), rel=1e-12)
    assert made.reference_direction == pytest.approx((np.radians(1), np.radians(-2)), rel=1e-12)
    assert made.direction_frame == "J2000"
    assert made.linear_axis == LinearAxis(1.4e9, 2e6, 1.0)
    assert made.reference_frequency == 1.4e9
    assert made.telescope == "ALMA"


def test_some_channels_have_the_frequencies_that_they_had(made: ImageCoordinates) -> None:
    part = made.from_channel(2, 3)
    whole, own = made.linear_axis, part.linear_axis
    assert whole is not None
    assert own is not None
    assert part.nchan == 3
    assert [own.at(channel) for channel in range(3)] == [whole.at(channel) for channel in (2, 3, 4)]
    assert made.linear_axis == whole  # as it was
    assert not part.has_grid_of(made)
    assert part.cell == made.cell
    assert made.has_grid_of(ImageCoordinates(made.record, 9))


@pytest.mark.parametrize(("frame", "moving"), [("LSRK", True), ("TOPO", True), ("REST", False), ("Undefined", False)])
def test_frequencies_are_converted_to_frames_of_bodies_alone(frame: str, moving: bool) -> None:
    assert ImageCoordinates({"spectral2": {"system": frame}}, 1).is_moving == moving


def test_optical_velocities_have_a_table_of_channels() -> None:
    image = ImageCoordinates({"spectral2": {"system": "LSRK", "tabular": {"crval": [1.3e9]}}}, 1)
    assert image.linear_axis is None
    assert image.reference_frequency == 1.3e9
