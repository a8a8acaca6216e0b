"""Taylor terms are sums over the channels of a cube, and a model's terms make the channels they stand for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pcleantask import casa
from pcleantask.images.taylor import TaylorTerms, make_term

SHAPE = (6, 5, 1, 4)
FREQUENCIES = 1e9 + 1e8 * np.arange(4)  # of the channels [Hz]
REFFREQ = 1.1e9
POWERS = (FREQUENCIES / REFFREQ - 1) ** np.arange(3)[:, np.newaxis]  # [term, channel]
TOLERANCE = 1e-5  # the images are float32


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    casa.load()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def terms() -> TaylorTerms:
    return TaylorTerms("img", nterms=2, reffreq=f"{REFFREQ}Hz", pblimit=0.2)


def make_cube(path: str, pixels: np.ndarray) -> None:
    coordinates = casa.load().coordsys().newcoordsys(direction=True, stokes=["I"], spectral=True)
    coordinates.setreferencepixel(0.0, "spectral")
    coordinates.setreferencevalue(f"{FREQUENCIES[0]}Hz", "spectral")
    coordinates.setincrement("1e8Hz", "spectral")
    with casa.tool("image") as image:
        image.fromarray(path, pixels=pixels, csys=coordinates.torecord(), type="f")
        image.setmiscinfo({"origin": "a test"})
        image.setrestoringbeam("2arcmin", "1arcmin", "0deg")
    coordinates.done()


def read(path: str) -> np.ndarray:
    with casa.opened_image(path) as image:
        return image.getchunk()


def make_cubes() -> dict[str, np.ndarray]:
    """A PSF, a beam that narrows with frequency and ends within the image, and equal weights."""
    rng = np.random.default_rng(1)
    x = np.arange(SHAPE[0])[:, np.newaxis, np.newaxis, np.newaxis]
    cubes = {
        "psf": rng.standard_normal(SHAPE),
        "residual": rng.standard_normal(SHAPE),
        "pb": np.broadcast_to(np.exp(-((x / 4) ** 2) * (FREQUENCIES / 1e9)), SHAPE).copy(),
        "sumwt": np.full((1, 1, 1, 4), 3.0),
    }
    for kind, pixels in cubes.items():
        make_cube(f"img.{kind}", pixels)
    return cubes


def test_terms_are_means_of_channels_by_powers_of_frequency_weighted_with_their_beams(terms: TaylorTerms) -> None:
    cubes = make_cubes()
    terms.make("pb", "psf", "sumwt")
    terms.make("residual")
    mean_beam = cubes["pb"].mean(axis=3)
    inside = mean_beam > 0.2
    assert 0 < inside.sum() < inside.size
    assert np.allclose(read("img.pb.tt0")[..., 0], mean_beam, rtol=TOLERANCE)
    for kind, count in (("psf", 3), ("residual", 2)):
        for term in range(count):
            expected = (cubes["pb"] * cubes[kind] * POWERS[term]).mean(axis=3) / mean_beam
            found = read(f"img.{kind}.tt{term}")[..., 0]
            assert np.allclose(found[inside], expected[inside], atol=TOLERANCE), (kind, term)
            assert not found[~inside].any()
    weights = [read(f"img.sumwt.tt{term}").item() for term in range(3)]
    assert np.allclose(weights, 3.0 * POWERS.mean(axis=1), rtol=TOLERANCE)


def test_term_is_one_channel_in_the_middle_of_all(terms: TaylorTerms) -> None:
    make_cubes()
    make_term("img.psf", "one")
    with casa.opened_image("one") as image:
        coordinates = image.coordsys()
        assert list(image.shape()) == [*SHAPE[:3], 1]
        assert coordinates.toworld([0, 0, 0, 0])["numeric"][3] == FREQUENCIES.mean()
        assert coordinates.increment(type="spectral")["numeric"][0] == pytest.approx(4e8)
        assert image.miscinfo() == {"origin": "a test"}
        coordinates.done()
    assert not read("one").any()


def test_terms_are_masked_where_the_primary_beam_ends(terms: TaylorTerms) -> None:
    make_cubes()
    terms.make("pb", "psf", "sumwt")
    terms.make("residual")
    with casa.opened_image("img.residual.tt1") as image:
        good = image.getchunk(getmask=True)
    beam = read("img.pb.tt0")
    assert (good == (beam > 0.2)).all()
    assert 0 < good.sum() < good.size


def test_without_a_limit_of_the_beam_there_is_no_pixel_mask() -> None:
    make_cubes()
    TaylorTerms("img", nterms=2, reffreq="1.1GHz", pblimit=-0.2).make("pb", "psf", "sumwt", "residual")
    with casa.opened_image("img.residual.tt0") as image:
        assert image.maskhandler("default") == [""]


def test_channels_of_a_model_are_its_polynomial_seen_through_their_beams(terms: TaylorTerms) -> None:
    cubes = make_cubes()
    terms.make("pb", "psf", "sumwt")
    rng = np.random.default_rng(2)
    for term in range(2):
        make_term("img.psf", f"img.model.tt{term}")
        with casa.opened_image(f"img.model.tt{term}") as image:
            image.putchunk(rng.uniform(1, 2, (*SHAPE[:3], 1)))
    terms.write_model()
    sky = sum(read(f"img.model.tt{term}") * POWERS[term] for term in range(2))
    mean_beam = read("img.pb.tt0")
    inside = cubes["pb"] > 0.2
    assert 0 < inside.sum() < inside.size
    expected = np.where(inside, sky * cubes["pb"] / mean_beam, 0.0)
    assert np.allclose(read("img.model"), expected, rtol=TOLERANCE)


def test_residual_gets_the_one_beam_of_all_channels(terms: TaylorTerms) -> None:
    cubes = make_cubes()
    terms.make("pb", "psf", "sumwt")
    terms.flatten_residual()
    mean_beam = read("img.pb.tt0")
    inside = mean_beam[..., 0] >= 0.2
    expected = cubes["residual"] / cubes["pb"] * mean_beam
    assert np.allclose(read("img.residual")[inside], expected[inside], rtol=TOLERANCE)
