"""Parts of a cube become one ordinary image again."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pcleantask import casa
from pcleantask.images.assemble import Piece, assemble, cut_out
from pcleantask.parallel.partition import slabs

pytestmark = pytest.mark.usefixtures("casa_folder")
NCHAN = 7
SHAPE = (12, 10, 2, NCHAN)
PLANE_MB = 4.0
MEASURE = """
import json, resource, sys
from pcleantask import casa
from pcleantask.images.assemble import Piece, assemble, cut_out
def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
with casa.tool("image") as image:
    image.fromshape("cube.image", [1024, 1024, 1, 64])
    coordinates = image.coordsys().torecord()
for rank in range(2):
    cut_out("cube.image", f"part{rank}.image", range(32 * rank, 32 * rank + 32))
before = peak_mb()
assemble("whole.image", [Piece(f"part{rank}.image", range(32), 32 * rank, 32) for rank in range(2)], coordinates, 64)
print(json.dumps(peak_mb() - before))
"""


@pytest.fixture
def coordinates() -> dict[str, Any]:
    """Of cube.image: a masked image with a beam for each plane, units and miscellaneous information."""
    pixels = np.arange(np.prod(SHAPE), dtype=np.float64).reshape(SHAPE, order="F")
    with casa.tool("image") as image:
        image.fromarray("cube.image", pixels)
        image.calcmask('"cube.image" > 20')
        image.setbrightnessunit("Jy/beam")
        image.setmiscinfo({"INSTRUME": "ALMA"})
        for chan in range(NCHAN):
            for pol in range(SHAPE[2]):
                beam = f"{2 + chan + 10 * pol}arcsec"
                image.setrestoringbeam(major=beam, minor="1arcsec", pa="5deg", channel=chan, polarization=pol)
        system = image.coordsys()
        record = system.torecord()
        system.done()
    return dict(record)


def contents(path: str) -> dict[str, Any]:
    with casa.opened_image(path) as image:
        system = image.coordsys()
        found = {
            "pixels": image.getchunk(),
            "mask": image.getchunk(getmask=True),
            "beams": image.restoringbeam(),
            "unit": image.brightnessunit(),
            "information": image.miscinfo(),
            "coordinates": system.torecord(),
        }
        system.done()
    return found


@pytest.mark.parametrize("nparts", [1, 2, 3, 7])
def test_parts_make_the_cube_that_they_were_cut_from(coordinates: dict[str, Any], nparts: int) -> None:
    parts = []
    for rank, slab in enumerate(slabs(NCHAN, nparts)):
        path = f"part{rank}.image"
        cut_out("cube.image", path, range(slab.first, slab.last))
        with casa.opened_image(path) as image:
            for guard in slab.guards:
                image.putchunk(np.full((*SHAPE[:3], 1), -1.0), blc=[0, 0, 0, guard])
        parts.append(Piece(path, slab.own, slab.start, slab.size))
    assemble("whole.image", parts, coordinates, NCHAN)
    expected, found = contents("cube.image"), contents("whole.image")
    np.testing.assert_array_equal(found.pop("pixels"), expected.pop("pixels"))
    np.testing.assert_array_equal(found.pop("mask"), expected.pop("mask"))
    assert found["coordinates"]["spectral2"]["wcs"]["cdelt"] != 0  # a regular axis
    np.testing.assert_equal(found, expected)
    assert sorted(path.name for path in Path().iterdir()) == ["cube.image", "whole.image"]


@pytest.mark.parametrize(("name", "is_kept"), [("whole.psf", True), ("whole.residual", True), ("whole.model", False)])
def test_what_the_gridder_makes_keeps_the_last_bit_of_the_pointing_and_the_place(
    coordinates: dict[str, Any], name: str, is_kept: bool
) -> None:
    """This direction is changed by each conversion, as Uranus' was, and this place, which is LOFAR's."""
    coordinates["pointingcenter"] = {"value": np.array([0.5936348093230613, 0.22977027647381382]), "initial": False}
    for entry, value in {"m0": 0.11990122009652414, "m1": 0.923542492129249, "m2": 48.88147133999998}.items():
        coordinates["telescopeposition"][entry]["value"] = value
    coordinates["telescopeposition"]["refer"] = "WGS84"
    parts = []
    for number, channels in enumerate((range(3), range(3, NCHAN))):
        cut_out("cube.image", f"part{number}.image", channels)
        parts.append(Piece(f"part{number}.image", range(len(channels)), channels.start, len(channels)))
    assemble(name, parts, coordinates, NCHAN)
    with casa.opened_table(name) as table:
        found = table.getkeyword("coords")
    pointing, place = found["pointingcenter"], found["telescopeposition"]
    assert not pointing["initial"]
    np.testing.assert_allclose(pointing["value"], coordinates["pointingcenter"]["value"], rtol=1e-14)
    assert np.array_equal(pointing["value"], coordinates["pointingcenter"]["value"]) == is_kept
    assert (place == coordinates["telescopeposition"]) == is_kept


def test_memory_is_that_of_a_few_planes() -> None:
    process = subprocess.run(
        [sys.executable, "-c", MEASURE], capture_output=True, text=True, timeout=120, check=True
    )  # fmt: skip
    assert json.loads(process.stdout.splitlines()[-1]) < 8 * PLANE_MB
