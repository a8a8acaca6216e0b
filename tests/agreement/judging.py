"""How near images must be to tclean's where they can't have its bits: continuum on workers, and engine='ducc'."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import truth
from closeness import description_differences, deviations
from compare import Image, is_image, read_image
from drawing import Drawn

SUMWT = 1e-6  # of each channel's sum of weights
GRIDDING = 6e-4  # of the peak over the inner three quarters: what tclean's gridding is off by on well filled grids
FEW = 4e-3  # of the peak: what it is off by with few visibilities, where no direct sum tells whose fault it is
Known = Callable[[], truth.Samples | None]
WORST = 20  # pixels of a plane that the direct sum is made for
BEAM = 0.01  # of an axis
NO_BEAM = 1e-5  # [arcsec]: what tclean gives planes that it could fit none to is smaller


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
    """How engine='ducc' has other weights, a PSF or first residual further off than gridding makes it, other beams.

    Parameters
    ----------
    drawn : Drawn
    data : Path
        The folder of its data.
    expected, found : dict
        tclean's products and pclean's: suffix -> path.
    """
    for suffix in sorted(expected.keys() & {".sumwt", ".sumwt.tt0", ".psf", ".psf.tt0", ".residual", ".residual.tt0"}):
        if suffix not in found:
            yield f"{suffix}: missing"
            continue
        one, other = read_image(expected[suffix]), read_image(found[suffix])
        if one.pixels.shape != other.pixels.shape:
            yield f"{suffix}: shape {other.pixels.shape}, tclean's is {one.pixels.shape}"
            continue
        judge = _weights if suffix.startswith(".sumwt") else _gridding
        image = read_image(expected[suffix.replace("sumwt", "psf")])
        for plane in np.ndindex(one.pixels.shape[2:]):
            known = functools.partial(truth.samples, drawn, data, image, plane[1])
            theirs, ours = one.pixels[(..., *plane)], other.pixels[(..., *plane)]
            yield from (f"{suffix}: {line} in plane {plane}" for line in judge(drawn, suffix, theirs, ours, known))
        if suffix.startswith(".psf"):
            yield from _beams(suffix, one, other)


def _weights(_: Drawn, __: str, theirs: np.ndarray, ours: np.ndarray, known: Known) -> Iterator[str]:
    """How a sum of weights is further from tclean's than rounding, and further from the data's than tclean's."""
    one, other = float(theirs.max()), float(ours.max())
    off = abs(other - one) / abs(one) if one else float(other != 0)
    if off <= SUMWT:
        return
    samples = known()
    total = samples.weight.sum() if samples is not None else one
    if not abs(other - total) < abs(one - total):
        yield f"{off:.1e} of its own off"


def _gridding(drawn: Drawn, suffix: str, theirs: np.ndarray, ours: np.ndarray, known: Known) -> Iterator[str]:
    """How a plane is further off than gridding makes tclean's, and further from the direct sums than tclean's."""
    nx, ny = theirs.shape
    inner = np.zeros((nx, ny), dtype=bool)
    inner[nx // 8 : nx - nx // 8, ny // 8 : ny - ny // 8] = True
    peak = float(np.nanmax(np.abs(theirs), initial=0.0)) or 1.0
    same = (theirs == ours) | (np.isnan(theirs) & np.isnan(ours)) | ~inner
    off = np.where(same, 0.0, np.nan_to_num(np.abs(theirs - ours), nan=np.inf)) / peak
    if off.max() <= GRIDDING:
        return
    samples = known()
    if samples is None:
        if off.max() > FEW:
            yield f"{off.max():.1e} of the peak off"
        return
    worst = np.argwhere(off >= np.sort(off, axis=None)[-WORST])
    sums = truth.sums(drawn, samples, theirs.shape, suffix, worst)
    tclean_off, ducc_off = (np.abs(image[tuple(worst.T)] - sums).max() / peak for image in (theirs, ours))
    if not ducc_off < tclean_off:
        yield f"{off.max():.1e} of the peak off; {ducc_off:.1e} from the direct sum, tclean {tclean_off:.1e}"


def _beams(suffix: str, one: Image, other: Image) -> Iterator[str]:
    """Beams of planes that tclean has fitted one for, and whose PSFs are alike."""
    ours = dict(_axes(other))
    for plane, theirs in _axes(one):
        alike = np.abs(one.pixels - other.pixels)[(..., *plane)].max() <= FEW
        if plane in ours and alike and max(theirs) > NO_BEAM:
            off = max(abs(b / a - 1) for a, b in zip(theirs, ours[plane], strict=True))
            if off > BEAM:
                yield f"{suffix}: beam {off:.1e} of an axis off in plane {plane}"


def _axes(image: Image) -> Iterator[tuple[tuple[int, int], tuple[float, float]]]:
    """(Stokes, channel) of each plane, and its beam's axes [arcsec]."""
    record = image.description["beams"]
    one = {"*0": {"*0": record}} if record else {}
    beams = record.get("beams", one)
    for channel, entries in beams.items():
        for stokes, beam in entries.items():
            plane = int(stokes.removeprefix("*")), int(channel.removeprefix("*"))
            yield plane, (beam["major"]["value"], beam["minor"]["value"])
