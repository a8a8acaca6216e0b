"""How near images must be to tclean's where they can't have its bits: continuum on workers, and engine='ducc'."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from pcleantask.traits import GRIDDERS
from tests.agreement.arbiter import CaseVisibilities
from tests.agreement.closeness import description_differences, deviations
from tests.agreement.compare import Image, is_image, read_image
from tests.agreement.drawing import Drawn

SUMWT = 1e-6  # of each channel's sum of weights
SINGLE = 1e-5  # of it where the weights come from densities, which CASA sums in single precision
GRIDDING = 6e-4  # of the peak over the inner three quarters: what tclean's gridding is off by on well filled grids
ROUNDED = 2e-5  # of the peak: two images made in single precision of the same visibilities
SUMMED = 5e-5  # of the peak: a mosaic, whose frequencies of about a beam's are taken together, and its direct sum
PB_LEVEL = 0.4  # of the primary beam where mosaics are looked at
BEAM = 0.01  # of an axis
CUTOFF = 0.35  # of the peak: pixels below it are not in the fit of a beam (psfcutoff)
ALIKE = 4e-3  # of the peak: PSFs whose beams are compared
NO_BEAM = 1e-5  # [arcsec]: what tclean gives planes that it could fit none to is smaller
WORST = 20  # pixels of a plane that the direct sum is made for
FLAT = "flat"  # the name of tclean's images without the term in w
Plane = tuple[int, int]


def continuum_problems(expected: dict[str, Path], found: dict[str, Path]) -> Iterator[str]:
    """How a continuum image whose rows were summed in another order is further off than rounding."""
    if expected.keys() != found.keys():
        yield f"products differ: {sorted(expected.keys() ^ found.keys())}"
        return
    names = [suffix for suffix, path in expected.items() if is_image(path)]
    images = {suffix: (read_image(expected[suffix]), read_image(found[suffix])) for suffix in names}
    others = [suffix for suffix, (one, other) in images.items() if not np.array_equal(one.good, other.good)]
    yield from (f"{suffix}: pixel mask or shape differs" for suffix in others)
    yield from deviations({suffix: path for suffix, path in expected.items() if suffix not in others}, found)
    for suffix, (one, other) in images.items():
        yield from (f"{suffix}: {line}" for line in description_differences(one.description, other.description))


def ducc_problems(drawn: Drawn, data: Path, expected: dict[str, Path], found: dict[str, Path]) -> Iterator[str]:
    """How engine='ducc' has other weights, a PSF or first residual that isn't that of tclean's data, other beams.

    Where these images differ by more than the gridding of many visibilities explains, its visibilities must be
    tclean's and the image must be theirs (`arbiter`).

    Parameters
    ----------
    drawn : Drawn
    data : Path
        The folder of its data.
    expected, found : dict
        tclean's products and pclean's: suffix -> path. Beside tclean's lie those by gridder='standard' where the case
        has a term in w.
    """
    if GRIDDERS[drawn.params["gridder"]].joins_pointings:
        yield from _mosaic_problems(drawn, data, expected, found)
        return
    visibilities = functools.cache(functools.partial(CaseVisibilities, drawn, data))
    for suffix in sorted(expected.keys() & {".sumwt", ".sumwt.tt0", ".psf", ".psf.tt0", ".residual", ".residual.tt0"}):
        if suffix not in found:
            yield f"{suffix}: missing"
            continue
        one, other, flat = map(read_image, (expected[suffix], found[suffix], _flat(drawn, expected[suffix], suffix)))
        if one.pixels.shape != other.pixels.shape:
            yield f"{suffix}: shape {other.pixels.shape}, tclean's is {one.pixels.shape}"
            continue
        for plane in np.ndindex(one.pixels.shape[2:]):
            theirs, ours, of_standard = (image.pixels[(..., *plane)] for image in (one, other, flat))
            if suffix.startswith(".sumwt"):
                lines = _weights(drawn, visibilities, plane, of_standard, ours)
            else:
                bright = float(np.nanmax(np.abs(one.pixels[:, :, :, plane[1]]), initial=0.0)) or 1.0
                lines = _dirty(visibilities, suffix, plane, (theirs, ours, of_standard), bright)
            yield from (f"{suffix}: {line} in plane {plane}" for line in lines)
        if suffix.startswith(".psf"):
            yield from _beams(suffix, one, other)


def _mosaic_problems(drawn: Drawn, data: Path, expected: dict[str, Path], found: dict[str, Path]) -> Iterator[str]:
    """How weights aren't tclean's, or a PSF or first residual isn't its direct sum with the beams.

    tclean's mosaics of few visibilities, or in images that beams reach beyond, are no measure.
    """
    term = ".tt0" if ".sumwt.tt0" in expected else ""
    theirs, ours = (read_image(images[f".sumwt{term}"]).pixels for images in (expected, found))
    if not np.allclose(ours, theirs, rtol=SINGLE, atol=0):
        yield f".sumwt: {np.nanmax(np.abs(ours / theirs - 1)):.1e} of its own off"
    kinds = ("psf", "residual", "weight")
    psf, residual, weight = (read_image(found[f".{kind}{term}"]).pixels for kind in kinds)
    visibilities = CaseVisibilities(drawn, data)
    rng = np.random.default_rng(drawn.seed)
    for channel in np.flatnonzero(theirs[0, 0].max(axis=0)).tolist():
        peak = float(weight[:, :, 0, channel].max())
        within = np.argwhere(weight[:, :, 0, channel] > PB_LEVEL**2 * peak)
        pixels = within[rng.choice(len(within), min(WORST, len(within)), replace=False)]
        pixels = np.concatenate([pixels, np.argwhere(psf[:, :, 0, channel] == psf[:, :, 0, channel].max())[:1]])
        sums = visibilities.of_mosaic(channel, psf.shape[:2], pixels)
        at = tuple(pixels.T)
        off = {".weight": np.abs(weight[(*at, 0, channel)] - sums[-1]).max() / peak}
        off[".psf"] = np.abs(psf[(*at, 0, channel)] - sums[0] / sums[0, -1]).max()
        for pol in range(residual.shape[2]):
            flat = sums[1 + pol] / np.sqrt(sums[-1] * peak)
            bright = np.abs(residual[:, :, pol, channel]).max() or 1.0
            off[f".residual {pol}"] = np.abs(residual[(*at, pol, channel)] - flat)[:-1].max(initial=0.0) / bright
        yield from (
            f"{name}: {far:.1e} from its direct sum in channel {channel}" for name, far in off.items() if far > SUMMED
        )


def may_be_lost(drawn: Drawn) -> bool:
    """Whether tclean may leave out some of several data sets.

    It does with a density for each channel, where one has nothing in the image's range, or begins elsewhere
    (BriggsCubeWeightor.cc): their weights are zero. With natural weights it has them all.
    """
    params = drawn.params
    by_channel = drawn.is_cube and params["perchanweightdensity"] and "natural" != params["weighting"] != "radial"
    return by_channel and len(drawn.data) > 1


def have_less(expected: dict[str, Path], found: dict[str, Path]) -> bool:
    """Whether no sum of weights of tclean's is larger than pclean's, and some are less."""
    less = read_image(expected[".sumwt"]).pixels / read_image(found[".sumwt"]).pixels.clip(1e-30)
    return bool(less.max() < 1 + SINGLE and less.min() < 1 - SINGLE)


def cleaned_difference(expected: dict[str, Path], found: dict[str, Path]) -> str:
    """How far the restored images differ, of the peak, over the inner three quarters: a figure, not a judgement.

    Near-equal peaks are taken in another order once dirty images differ in the fourth digit. None for odd sizes, where
    tclean's restored sources lie a pixel off.
    """
    name = ".image" if ".image" in expected else ".image.tt0"
    one, other = (read_image(images[name]).pixels for images in (expected, found))
    if one.shape[0] % 2 or one.shape[1] % 2:
        return ""
    x, y = (slice(size // 8, size - size // 8) for size in one.shape[:2])
    off = np.nan_to_num(np.abs(one - other)[x, y]).max(initial=0.0)
    return f"cleaned {off / (np.nan_to_num(np.abs(one)).max() or 1.0):.1e} off"


def _flat(drawn: Drawn, path: Path, suffix: str) -> Path:
    """tclean's image without the term in w."""
    return path.parent / f"{FLAT}{suffix}" if GRIDDERS[drawn.params["gridder"]].takes_w else path


def _weights(
    drawn: Drawn, visibilities: Callable[[], CaseVisibilities], plane: Plane, theirs: np.ndarray, ours: np.ndarray
) -> Iterator[str]:
    """How a sum of weights is further from tclean's than rounding, and so is what CASA's gridding makes of it."""
    allowed = SUMWT if drawn.params["weighting"] in ("natural", "radial") else SINGLE
    one, other = float(theirs.max()), float(ours.max())
    off = abs(other - one) / abs(one) if one else float(other != 0)
    if off > allowed:
        nx, ny = drawn.params["imsize"] if isinstance(drawn.params["imsize"], list) else [drawn.params["imsize"]] * 2
        gridded = visibilities().sum_of_weights(plane[1], (nx, ny)) if one else 0.0
        if not abs(gridded - one) <= allowed * one:
            yield f"{off:.1e} of its own off; by CASA's gridding {abs(gridded - one) / (one or 1.0):.1e}"


def _dirty(
    visibilities: Callable[[], CaseVisibilities],
    suffix: str,
    plane: Plane,
    images: tuple[np.ndarray, np.ndarray, np.ndarray],
    bright: float,
) -> Iterator[str]:
    """How a plane is further off than gridding makes tclean's, and isn't the image of tclean's visibilities.

    `images` are tclean's, pclean's, and tclean's without the term in w; rounding is of the channel's brightest plane.
    """
    theirs, ours, flat = images
    nx, ny = theirs.shape
    inner = np.zeros((nx, ny), dtype=bool)
    inner[nx // 8 : nx - nx // 8, ny // 8 : ny - ny // 8] = True
    peak = float(np.nanmax(np.abs(theirs), initial=0.0)) or 1.0
    same = (theirs == ours) | (np.isnan(theirs) & np.isnan(ours)) | ~inner
    off = np.where(same, 0.0, np.nan_to_num(np.abs(theirs - ours), nan=np.inf)) / peak
    if off.max() <= GRIDDING:
        return
    gridded = visibilities().gridded(suffix, plane, (nx, ny))
    theirs_off = np.abs(gridded - flat)[inner].max() / bright
    worst = np.argwhere(off >= np.sort(off, axis=None)[-WORST])
    sums = visibilities().sums(suffix, plane, (nx, ny), worst)
    ours_off = np.abs(ours[tuple(worst.T)] - sums).max() / bright
    if not max(theirs_off, ours_off) < ROUNDED:
        yield (
            f"{off.max():.1e} of the peak off; tclean's {theirs_off:.1e} from its gridding of these visibilities, "
            f"ducc's {ours_off:.1e} from their direct sum"
        )


def _beams(suffix: str, one: Image, other: Image) -> Iterator[str]:
    """Beams of planes that tclean has fitted one for, and whose PSFs are alike.

    CASA's fit turns on the fourth digit where the main lobe leaves the image, as that of antennas in a line at one time
    does, or a pixel is at the cutoff, which is in the fit of one of them only: those aren't compared.
    """
    ours = dict(_axes(other))
    for plane, theirs in _axes(one):
        alike = np.abs(one.pixels - other.pixels)[(..., *plane)].max() <= ALIKE
        psf, psf_of_ours = one.pixels[(..., *plane)], other.pixels[(..., *plane)]
        same_lobe = np.array_equal(psf > CUTOFF, psf_of_ours > CUTOFF) and not _leaves(psf)
        is_fitted = psf.any() and same_lobe  # blank ones have the largest of the others'
        if plane in ours and alike and is_fitted and max(theirs) > NO_BEAM:
            off = max(abs(b / a - 1) for a, b in zip(theirs, ours[plane], strict=True))
            if off > BEAM:
                yield f"{suffix}: beam {off:.1e} of an axis off in plane {plane}"


def _leaves(psf: np.ndarray) -> bool:
    """Whether a PSF's main lobe leaves the image [nx, ny]."""
    return max(side.max() for side in (psf[0], psf[-1], psf[:, 0], psf[:, -1])) > psf.max() / 2


def _axes(image: Image) -> Iterator[tuple[tuple[int, int], tuple[float, float]]]:
    """(Stokes, channel) of each plane, and its beam's axes [arcsec]."""
    record = image.description["beams"]
    one = {"*0": {"*0": record}} if record else {}
    beams = record.get("beams", one)
    for channel, entries in beams.items():
        for stokes, beam in entries.items():
            plane = int(stokes.removeprefix("*")), int(channel.removeprefix("*"))
            yield plane, (beam["major"]["value"], beam["minor"]["value"])
