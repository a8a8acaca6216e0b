"""The beams of a PSF's planes, and which of them are their own.

A plane without data has no beam, and the fit to one with few visibilities may fail: the fringe of a single baseline has
its peak anywhere. SIImageStore::makeImageBeamSet (casatools 6.7) gives such planes the largest beam of all planes that
it is looking at, and keeps no note of which they are.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping

from .. import casa
from ..images.assemble import BEAMS
from ..images.information import IMAGE_INFO
from ..recordvalues import Record

NO_BEAM_ARCSEC = 1e-6  # axes of what CASA puts in where no plane has a beam


def plane_beams(path: str) -> list[list[Record]]:
    """The beams [channel][pol] of an image that has one for each plane."""
    beams = _image_info(path)[BEAMS]
    nchan = int(beams["nChannels"])
    return [[beams[f"*{pol * nchan + chan}"] for pol in range(int(beams["nStokes"]))] for chan in range(nchan)]


def replace_beams(path: str, beams: Mapping[tuple[int, int], Record]) -> None:
    """Give some planes of such an image other beams: (channel, pol) -> beam."""
    info = _image_info(path)
    nchan = int(info[BEAMS]["nChannels"])
    info[BEAMS].update({f"*{pol * nchan + chan}": beam for (chan, pol), beam in beams.items()})
    _set_image_info(path, info)


def copy_beams(source: str, channels: range, target: str) -> None:
    """Give an image's planes the beams of some channels of another, where that has one for each plane."""
    if BEAMS in _image_info(source):
        rows = plane_beams(source)[channels.start : channels.stop]
        replace_beams(target, {(chan, pol): beam for chan, row in enumerate(rows) for pol, beam in enumerate(row)})


def fitted_beams(imagename: str, psfcutoff: float, channels: range, pols: Iterable[int]) -> list[list[Record | None]]:
    """The beams [channel][pol] of some planes of .psf; None for a plane without one of its own.

    Those that have the largest beam are fitted again, each alone, as it may be another's.

    Parameters
    ----------
    imagename : str
        Name of the images; .psf has a beam for each plane, and .sumwt is there.
    psfcutoff : float
        What the beams were fitted with.
    channels, pols
        The planes.
    """
    with casa.opened_image(f"{imagename}.sumwt") as image:
        weights = image.getchunk().max(axis=(0, 1))  # [pol, chan]
    beams = plane_beams(f"{imagename}.psf")
    found: list[list[Record | None]] = [[] for _ in channels]
    for pol in pols:
        weighted = [beams[chan][pol] for chan in channels if weights[pol, chan] > 0]
        largest = max(map(area, weighted), default=0.0)
        for row, chan in zip(found, channels, strict=True):
            is_own = weights[pol, chan] > 0 and (
                area(beams[chan][pol]) < largest or _can_fit(imagename, psfcutoff, chan, pol)
            )
            row.append(beams[chan][pol] if is_own else None)
    return found


def refitted_beams(
    imagename: str, psfcutoff: float, channels: range, pols: Iterable[int]
) -> list[list[Record | None]]:  # fmt: skip
    """The beams [channel][pol] that CASA fits to some planes of .psf now; the image keeps those that it has.

    Into the PSF of a cube's main field CASA writes the beams of the first polarisation for all
    (CubeMajorCycleAlgorithm::copyBeamSet), after it has looked for the largest among them all.
    """
    kept = _image_info(f"{imagename}.psf")
    _fit(imagename, psfcutoff)
    try:
        return fitted_beams(imagename, psfcutoff, channels, pols)
    finally:
        _set_image_info(f"{imagename}.psf", kept)


def largest_beam(beams: Iterable[Record | None]) -> Record | None:
    """The first of those that have the largest area; None where there is none."""
    return max((beam for beam in beams if beam is not None), key=area, default=None)


def area(beam: Record) -> float:
    """Product of the axes; CASA gives all of a PSF's in arcsec."""
    return float(beam["major"]["value"] * beam["minor"]["value"])


def _can_fit(imagename: str, psfcutoff: float, chan: int, pol: int) -> bool:
    """Whether CASA finds a beam in one plane of .psf alone."""
    plane = f"{imagename}-plane"
    with casa.opened_image(f"{imagename}.psf") as psf, casa.tool("regionmanager") as regions:
        nx, ny = psf.shape()[:2]
        box = regions.box(blc=[0, 0, pol, chan], trc=[int(nx) - 1, int(ny) - 1, pol, chan])
        psf.subimage(outfile=f"{plane}.psf", region=box, dropdeg=False).done()
    try:
        _fit(plane, psfcutoff)
        with casa.opened_image(f"{plane}.psf") as image:
            return bool(image.restoringbeam()["major"]["value"] > NO_BEAM_ARCSEC)
    finally:
        shutil.rmtree(f"{plane}.psf")


def _fit(imagename: str, psfcutoff: float) -> None:
    """Fit all planes of .psf; what CASA has to say of them it has said before."""
    with casa.tool("synthesisutils") as utilities, casa.without_messages("Gaussian fit to PSF", "PSF is blank"):
        utilities.fitPsfBeam(imagename=imagename, nterms=1, psfcutoff=psfcutoff)


def _image_info(path: str) -> Record:
    with casa.opened_table(path) as table:
        return dict(table.getkeyword(IMAGE_INFO))


def _set_image_info(path: str, info: Record) -> None:
    with casa.opened_table(path, writable=True) as table:
        table.putkeyword(IMAGE_INFO, info)
