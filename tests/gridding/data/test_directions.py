"""Directions and rotations, against CASA's measures and unit vectors."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from pcleantask import casa
from pcleantask.gridding.data.directions import Direction
from pcleantask.gridding.data.frames import Observation


def first_time(vis: Path) -> float:
    with casa.opened_table(str(vis)) as table:
        return float(table.getcol("TIME").min())


def test_measures_come_back_as_they_were() -> None:
    direction = Direction("J2000", 2.9, -1.1)
    assert Direction.of_measure(direction.measure) == direction
    with casa.tool("measures") as measures:
        text = {"v0": f"{direction.lon!r}rad", "v1": f"{direction.lat!r}rad"}
        assert Direction.of_measure(measures.direction("J2000", **text)).cosines == pytest.approx(direction.cosines)


def test_axes_point_east_and_north() -> None:
    direction, step = Direction("ICRS", 2.9, -1.1), 1e-7
    east, north, pole = direction.tangent_axes
    assert pole == pytest.approx(direction.cosines)
    to_north = dataclasses.replace(direction, lat=direction.lat + step).cosines - pole
    to_east = dataclasses.replace(direction, lon=direction.lon + step / np.cos(direction.lat)).cosines - pole
    assert to_north / step == pytest.approx(north, abs=1e-6)
    assert to_east / step == pytest.approx(east, abs=1e-6)


def test_frames_are_casas() -> None:
    galactic_pole = Direction("GALACTIC", 0.0, np.pi / 2)
    with casa.tool("measures") as measures:
        found = galactic_pole.seen_in("J2000", measures)
    assert found.frame == "J2000"
    assert np.degrees([found.lon % (2 * np.pi), found.lat]) == pytest.approx([192.859, 27.128], abs=1e-3)


def test_rotation_to_the_same_centre_is_nothing(line_ms: Path) -> None:
    observation = Observation(str(line_ms))
    assert observation.rotation(0, first_time(line_ms), observation.direction(0)).is_nothing


def test_rotation_is_that_of_unit_vectors(line_ms: Path) -> None:
    observation = Observation(str(line_ms))
    field = observation.direction(0)
    offset = 1e-4
    centre = dataclasses.replace(field, lat=field.lat + offset)
    found = observation.rotation(0, first_time(line_ms), centre)
    # A centre to the north: u stays, v and w turn about it.
    cosine, sine = np.cos(offset), np.sin(offset)
    turn = np.array([[1, 0, 0], [0, cosine, sine], [0, -sine, cosine]])
    assert found.matrix == pytest.approx(turn, abs=1e-12)
    assert found.phase == pytest.approx([0, sine, 1 - cosine], abs=1e-12)
    assert not found.is_nothing
