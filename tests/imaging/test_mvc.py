"""Taylor terms by way of a cube: how the cube is laid out, and that the loop's steps and limits hold.

That its images are tclean's is the claim of tests/agreement.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pcleantask import PcleanConfig, SerialImager, casa
from pcleantask.errors import ParameterError
from pcleantask.imaging.mvc import channels_of_cube, plan
from tests.agreement.cases import MVC
from tests.agreement.compare import compare_products, differences, peak, products

GHZ = 1e9


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dataset: Callable[[str], Path]) -> Path:
    casa.load()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "continuum.ms").symlink_to(dataset("continuum"))
    return tmp_path


def config_of(**changes: object) -> PcleanConfig:
    return PcleanConfig.from_parameters(**{**MVC, "imsize": 64, **changes})


@pytest.mark.parametrize(
    ("nchan", "lowest", "band", "expected"),
    [(7, 220, 24, 7), (2, 1, 1, 2), (-1, 1, 1, 10), (-1, 1, 0.51, 5), (-1, 1, 0.49, 3), (-1, 220, 24, 3)],
)
def test_band_is_divided_as_asked_or_by_tenths_of_its_lowest_frequency(
    nchan: int, lowest: float, band: float, expected: int
) -> None:
    assert channels_of_cube(nchan, 2, lowest * GHZ, band * GHZ) == expected


@pytest.mark.parametrize(("nchan", "nterms", "band"), [(1, 2, 1), (2, 3, 1), (-1, 7, 0.5)])
def test_fewer_channels_than_terms_are_refused(nchan: int, nterms: int, band: float) -> None:
    with pytest.raises(ParameterError, match=f"nchan must be at least nterms={nterms}"):
        channels_of_cube(nchan, nterms, GHZ, band * GHZ)


def test_too_few_channels_leave_the_disk_alone(folder: Path) -> None:
    with pytest.raises(ParameterError, match="got 1"), SerialImager(config_of(nchan=1)) as imager:
        imager.run()
    assert [path.name for path in folder.iterdir() if path.suffix != ".log"] == ["continuum.ms"]


def test_cube_covers_the_data_and_its_terms_are_expanded_about_the_middle() -> None:
    cube, terms = plan(config_of(start="1GHz", width="1kHz", interpolation="cubic", weighting="briggs"))
    field = cube.fields[0]
    start, width = casa.hertz(field.start), casa.hertz(field.width)
    assert 219 * GHZ < start < 220 * GHZ  # channels of 1 GHz about 220, ..., 223 and 240, ..., 243 GHz, in LSRK
    assert 243 * GHZ < start + 4 * width < 244 * GHZ
    assert casa.hertz(field.reffreq) == pytest.approx(start + 2 * width)
    assert (field.specmode, field.deconvolver, field.nchan) == ("cube", "hogbom", 4)
    assert (cube.gridding.interpolation, cube.weighting.perchanweightdensity) == ("nearest", False)
    assert (terms.fields[0].specmode, terms.fields[0].deconvolver) == ("mfs", "mtmfs")
    assert terms.fields[0].reffreq == field.reffreq


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"nchan": 50}, ""),
        ({"nchan": 51}, "about 10 channels for Taylor polynomials of a low order, got 51"),
        ({"reffreq": "231GHz"}, ""),
        ({"reffreq": "250GHz"}, "reffreq '250GHz' is outside the data's frequencies"),
    ],
)
def test_odd_axes_are_warned_of(changes: dict[str, object], text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As tclean does."""
    posted: list[tuple[str, ...]] = []
    monkeypatch.setattr(casa, "post", lambda *words: posted.append(words))
    plan(config_of(**changes))
    warnings = [words[0] for words in posted if words[1:] == ("WARN",)]
    assert [text in warning for warning in warnings] == ([True] if text else [])


def test_reference_frequency_of_the_users_is_kept() -> None:
    assert {config.fields[0].reffreq for config in plan(config_of(reffreq="231GHz"))} == {"231GHz"}


def test_steps_are_those_of_a_run(folder: Path) -> None:
    with SerialImager(config_of(imagename="run")) as imager:
        imager.run()
    with SerialImager(config_of(imagename="steps")) as imager:
        imager.setup()
        imager.make_psf()
        imager.make_pb()
        imager.run_major_cycle(is_first=True)
        imager.has_converged()
        imager.update_masks()
        while not imager.has_converged() and imager.run_minor_cycle():
            imager.run_major_cycle()
            imager.update_masks()
        imager.restore()
    assert peak(folder / "run.model.tt0") > 0.5
    assert compare_products(products(folder, "run"), products(folder, "steps")) == []


def test_limit_of_major_cycles_holds(folder: Path) -> None:
    """tclean goes on, as its two imagers count apart."""
    with SerialImager(config_of(imagename="limited", niter=1000, nmajor=1)) as imager:
        limited = imager.run()
    with SerialImager(config_of(imagename="one", niter=limited["iterdone"])) as imager:
        one = imager.run()
    assert (limited["stopcode"], limited["nmajordone"], one["stopcode"]) == (9, 2, 1)
    assert 0 < limited["iterdone"] < 1000
    assert list(differences(limited["summaryminor"], one["summaryminor"])) == []
    assert compare_products(products(folder, "limited"), products(folder, "one")) == []
