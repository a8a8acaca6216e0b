"""How near images must be to tclean's where they can't have its bits: continuum on workers, and engine='ducc'."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import truth
from closeness import description_differences, deviations
from compare import Image, is_image, read_image
from drawing import Drawn

SUMWT = 1e-6  # of each channel's sum of weights
GRIDDING = 6e-4  # of the peak over the inner three quarters: what tclean's gridding is off by on well filled grids
FEW = 4e-3  # of the peak: what it is off by with few visibilities, where no direct sum tells whose fault it is
WORST = 20  # pixels of a plane that the direct sum is made for
BEAM = 0.01  # of an axis


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
    """How engine='ducc' has other weights, a PSF or first residual further off than gridding makes it, other beams."""
    for suffix in sorted(expected.keys() & {".sumwt", ".sumwt.tt0", ".psf", ".psf.tt0", ".residual", ".residual.tt0"}):
        if suffix not in found:
            yield f"{suffix}: missing"
            continue
        one, other = read_image(expected[suffix]), read_image(found[suffix])
        if one.pixels.shape != other.pixels.shape:
            yield f"{suffix}: shape {other.pixels.shape}, tclean's is {one.pixels.shape}"
        elif suffix.startswith(".sumwt"):
            yield from _weights(suffix, one.pixels, other.pixels)
        else:
            yield from _gridding(suffix, drawn, data, one, other)
            if suffix.startswith(".psf"):
                yield from _beams(suffix, one, other)


def _weights(suffix: str, one: np.ndarray, other: np.ndarray) -> Iterator[str]:
    off = np.divide(np.abs(other - one), np.abs(one), out=np.where(other == one, 0.0, np.inf), where=one != 0)
    if (off > SUMWT).any():
        yield f"{suffix}: {off.max():.1e} of its own off; {_planes(off.max(axis=(0, 1)) > SUMWT)}"


def _gridding(suffix: str, drawn: Drawn, data: Path, one: Image, other: Image) -> Iterator[str]:
    """Planes that are further off than gridding makes tclean's, and further from the direct sums than tclean's."""
    nx, ny = one.pixels.shape[:2]
    inner = np.zeros((nx, ny), dtype=bool)
    inner[nx // 8 : nx - nx // 8, ny // 8 : ny - ny // 8] = True
    peak = 1.0 if suffix.startswith(".psf") else float(np.nanmax(np.abs(one.pixels), initial=0.0)) or 1.0
    for plane in np.ndindex(one.pixels.shape[2:]):
        theirs, ours = one.pixels[(..., *plane)], other.pixels[(..., *plane)]
        same = (theirs == ours) | (np.isnan(theirs) & np.isnan(ours)) | ~inner
        off = np.where(same, 0.0, np.nan_to_num(np.abs(theirs - ours), nan=np.inf)) / peak
        if off.max() <= GRIDDING:
            continue
        worst = np.argwhere(off >= np.sort(off, axis=None)[-WORST])
        sums = truth.at(drawn, data, one, suffix, plane[1], worst) if truth.is_known(drawn) else None
        place = f"{suffix}: {off.max():.1e} of the peak off in plane (stokes, channel) {plane}"
        if sums is None:
            if off.max() > FEW:
                yield place
            continue
        tclean_off, ducc_off = (np.abs(image[tuple(worst.T)] - sums).max() / peak for image in (theirs, ours))
        if not ducc_off < tclean_off:
            yield f"{place}; from the direct sum {ducc_off:.1e}, tclean {tclean_off:.1e}"


def _beams(suffix: str, one: Image, other: Image) -> Iterator[str]:
    """Beams of planes that tclean has fitted one for."""
    if not np.any(one.pixels):
        return
    theirs, ours = (list(_axes(image)) for image in (one, other))
    off = [max(abs(b / a - 1) for a, b in zip(x, y, strict=True)) for x, y in zip(theirs, ours, strict=False)]
    if len(theirs) != len(ours):
        yield f"{suffix}: {len(ours)} beams, tclean's has {len(theirs)}"
    elif max(off, default=0.0) > BEAM:
        yield f"{suffix}: beam {max(off):.1e} of an axis off; first at {int(np.argmax(np.array(off) > BEAM))}"


def _axes(image: Image) -> Iterator[tuple[float, float]]:
    beams = image.description["beams"]
    if "beams" in beams:
        planes = [beam for channel in beams["beams"].values() for beam in channel.values()]
    else:
        planes = [beams] if beams else []
    for beam in planes:
        yield beam["major"]["value"], beam["minor"]["value"]


def _planes(wrong: np.ndarray) -> str:
    """Which planes, of an array (stokes, channel)."""
    return f"planes (stokes, channel) {[tuple(int(i) for i in plane) for plane in np.argwhere(wrong)][:8]}"
