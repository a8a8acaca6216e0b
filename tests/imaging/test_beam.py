"""Beams: pixels, sidelobe level and common beam against CASA's, channel blocks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pcleantask import casa
from pcleantask.imaging import automask, beam

CELL = (-0.5 * beam.ARCSEC, 0.5 * beam.ARCSEC)
SINGLE = 1e-7  # CASA stores the pixels of a beam as a float
KINDS = ["smooth", "turning", "one large", "round"]


def _beams(kind: str, nchan: int = 24, seed: int = 0) -> list[tuple[float, float, float]]:
    """Beams as CASA fits them, float32 values in (arcsec, arcsec, deg)."""
    rng = np.random.default_rng(seed)
    chan = np.arange(nchan)
    major, minor, pa = 2.5 * (1 - 0.004 * chan), 1.3 * (1 - 0.004 * chan), 25 + 0.02 * chan
    if kind == "smooth":
        major, minor, pa = (values + rng.normal(0, 1e-3, nchan) for values in (major, minor, pa))
    elif kind == "turning":
        pa = -80 + 6.0 * chan
    elif kind == "one large":
        major[nchan // 3] *= 1.6
    elif kind == "round":
        minor = major.copy()
    table = np.stack([major, minor, pa], axis=1).astype(np.float32)
    return [(float(a), float(b), float(p)) for a, b, p in table]


def _as_beam(values: tuple[float, float, float]) -> beam.Beam:
    return beam.Beam(values[0] * beam.ARCSEC, values[1] * beam.ARCSEC, values[2] * beam.DEGREE)


@pytest.fixture()
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    casa.load()


def _psf_image(name: str, table: list[tuple[float, float, float]], shape: tuple[int, int]) -> None:
    """A psf image with sidelobes and a beam per channel."""
    rng = np.random.default_rng(2)
    with casa.tool("image") as image:
        image.fromshape(name, [*shape, 1, len(table)])
        csys = image.coordsys()
        csys.setunits(["rad", "rad", "", "Hz"])
        csys.setincrement(list(CELL), "direction")
        image.setcoordsys(csys.torecord())
        csys.done()
        pixels = np.zeros((*shape, 1, len(table)))
        for chan, values in enumerate(table):
            gauss = beam.gaussian_psf(shape, _as_beam(values), (shape[0] // 2, shape[1] // 2), CELL)
            pixels[:, :, 0, chan] = gauss + rng.normal(0, 0.02, shape) * (gauss < 0.5)
            axes = {"major": f"{values[0]!r}arcsec", "minor": f"{values[1]!r}arcsec", "pa": f"{values[2]!r}deg"}
            image.setrestoringbeam(channel=chan, polarization=0, **axes)
        image.putchunk(pixels)


@pytest.mark.usefixtures("_folder")
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_common_beam_is_that_of_casa_to_the_last_digit(kind: str, seed: int) -> None:
    table = _beams(kind, seed=seed)
    _psf_image("x.psf", table, (32, 32))
    with casa.tool("image") as image:
        image.open("x.psf")
        expected = image.commonbeam()
    found = beam.common_beam([_as_beam(values) for values in table])
    assert found.major / beam.ARCSEC == pytest.approx(expected["major"]["value"], rel=1e-14)
    assert found.minor / beam.ARCSEC == pytest.approx(expected["minor"]["value"], rel=1e-14)
    turn = (found.pa / beam.DEGREE - expected["pa"]["value"]) % 180
    assert min(turn, 180 - turn) < 1e-9


def test_common_beam_of_equal_beams_is_that_beam() -> None:
    one = beam.Beam(2e-5, 1e-5, 0.3)
    assert beam.common_beam([one, one]) is one


def test_common_beam_of_beams_at_right_angles_is_round() -> None:
    found = beam.common_beam([beam.Beam(2e-5, 1e-5, 0.0), beam.Beam(2e-5, 1e-5, np.pi / 2)])
    assert found.major == pytest.approx(2e-5)
    assert found.minor == pytest.approx(2e-5)


@pytest.mark.usefixtures("_folder")
@pytest.mark.parametrize("kind", KINDS)
def test_sidelobe_level_is_that_of_casa_to_the_last_digit(kind: str) -> None:
    shape, table = (70, 54), _beams(kind, 3)
    _psf_image("x.psf", table, shape)
    for suffix, extent in (("residual", shape), ("model", shape), ("mask", shape), ("sumwt", (1, 1))):
        with casa.tool("image") as psf, casa.tool("image") as image:
            psf.open("x.psf")
            csys = psf.coordsys()
            image.fromshape(f"x.{suffix}", [*extent, 1, len(table)], csys=csys.torecord())
            csys.done()
    tool = casa.load().synthesisdeconvolver()
    tool.setupdeconvolution(decpars={"imagename": "x", "id": 0, "deconvolver": "hogbom", "usemask": "user", "mask": ""})
    expected = tool.initminorcycle()["maxpsfsidelobe"]
    tool.done()
    assert expected > 0.03
    assert automask.beam_info_from_image("x").sidelobe_level == expected


@pytest.mark.usefixtures("_folder")
def test_beam_info_is_of_the_channels_asked_for() -> None:
    table = _beams("smooth", 6)
    _psf_image("x.psf", table, (48, 48))
    last = automask.beam_info_from_image("x", channels=(5, 6))
    sigma = table[5][0] / 0.5 / np.sqrt(8 * np.log(2))
    assert last.sigma_pix[0] == pytest.approx(sigma, rel=SINGLE)
    assert last.pa_rad == pytest.approx(table[5][2] * beam.DEGREE, rel=SINGLE)
    assert last.area_pix == pytest.approx(np.pi * table[5][0] * table[5][1] / (4 * np.log(2)) / 0.25, rel=2 * SINGLE)
    whole = automask.beam_info_from_image("x")
    assert whole.area_pix > last.area_pix
    assert whole.sidelobe_level == last.sidelobe_level


def test_sidelobe_level_of_subcubes_makes_that_of_the_cube() -> None:
    rng = np.random.default_rng(4)
    shape, centre = (40, 30), (20.0, 15.0)
    beams = [_as_beam(values) for values in _beams("smooth", 4)]
    psfs = [(beam.gaussian_psf(shape, b, centre, CELL) + rng.normal(0, 0.05, shape)).astype(np.float32) for b in beams]
    parts = [beam.sidelobe_level(psfs[i : i + 2], beams[i : i + 2], centre, CELL) for i in (0, 2)]
    assert parts[0] != parts[1]
    assert beam.sidelobe_level(iter(psfs), iter(beams), centre, CELL) == max(parts)


def test_sidelobe_level_takes_the_gaussian_off_the_whole_plane() -> None:
    one, centre = beam.Beam(6 * CELL[1], 3 * CELL[1], 0.4), (9.0, 25.0)
    psf = np.random.default_rng(1).normal(0, 0.05, (64, 30)).astype(np.float32)
    psf += beam.gaussian_psf(psf.shape, one, centre, CELL)
    expected = max(-psf.min(), (psf - beam.gaussian_psf(psf.shape, one, centre, CELL)).max())
    assert beam.sidelobe_level([psf], [one], centre, CELL) == expected


@pytest.mark.parametrize(
    ("shape", "blocks"),
    [
        ((900, 900, 12), [(0, 10), (10, 12)]),
        ((512, 512, 64), [(0, 30), (30, 60), (60, 64)]),
        ((100, 100, 50), [(0, 50)]),
        ((4000, 4000, 1), [(0, 1)]),
    ],
)
def test_blocks_are_those_of_casa(shape: tuple[int, int, int], blocks: list[tuple[int, int]]) -> None:
    assert beam.mask_blocks(*shape) == blocks


def test_beam_in_pixels() -> None:
    one = beam.Beam(3 * beam.ARCSEC, 2 * beam.ARCSEC, 0.2)
    assert one.area_pix(CELL) == pytest.approx(27.195, abs=1e-3)
    assert one.sigma_pix(CELL) == pytest.approx((6 / 2.35482, 4 / 2.35482), rel=1e-5)
    assert one.pa_pix(CELL) == 0.2
