"""What an automask reads and writes, channel by channel: on the disk, or in the memory of who cleans."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..images import planes
from ..images.cached import Key
from .field_planes import FieldPlanes
from .robust import Mask, Plane


class MaskPlanes(Protocol):
    """The images of one field; planes are [x, y] in Fortran order."""

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(nx, ny, npol, nchan)"""

    def residual(self, pol: int, chan: int) -> Plane:
        """float32, [Jy/beam]."""

    def valid(self, pol: int, chan: int) -> Mask:
        """The residual's pixel mask."""

    def pb(self, pol: int, chan: int) -> Plane | None:
        """float32; None where it is not wanted."""

    def mask(self, pol: int, chan: int) -> Mask:
        """The clean mask."""

    def write(self, masks: Mapping[Key, Plane]) -> None:
        """Overwrite the clean masks of (pol, chan)."""


@dataclass(frozen=True)
class DiskPlanes:
    """Planes that are read when asked for."""

    _residual: planes.Planes
    _mask: planes.Planes
    _pb: planes.Planes | None

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return self._residual.shape

    def residual(self, pol: int, chan: int) -> Plane:
        return self._residual.read(pol, chan)

    def valid(self, pol: int, chan: int) -> Mask:
        return self._residual.read_valid(pol, chan)

    def pb(self, pol: int, chan: int) -> Plane | None:
        return None if self._pb is None else self._pb.read(pol, chan)

    def mask(self, pol: int, chan: int) -> Mask:
        return self._mask.read_double(pol, chan) > 0

    def write(self, masks: Mapping[Key, Plane]) -> None:
        for key, pixels in masks.items():
            self._mask.write(pixels, *key)


@dataclass(frozen=True)
class KeptPlanes:
    """The planes of a deconvolver in memory."""

    _field: FieldPlanes
    _wants_pb: bool

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return self._field.residual.shape

    def residual(self, pol: int, chan: int) -> Plane:
        return self._field.residual.plane(pol, chan).T

    def valid(self, pol: int, chan: int) -> Mask:
        found = self._field.residual.valid(pol, chan)
        return np.ones(self.shape[:2], bool, order="F") if found is None else found.T

    def pb(self, pol: int, chan: int) -> Plane | None:
        return self._field.pb.plane(pol, chan).T if self._wants_pb else None

    def mask(self, pol: int, chan: int) -> Mask:
        return self._field.mask.plane(pol, chan).T > 0

    def write(self, masks: Mapping[Key, Plane]) -> None:
        if masks:
            self._field.write_mask({key: pixels.T for key, pixels in masks.items()})


@contextmanager
def opened(imagename: str, kept: FieldPlanes | None, *, term: str = "", wants_pb: bool) -> Iterator[MaskPlanes]:
    """The images of that name, by way of `kept` where somebody keeps their planes."""
    if kept is not None:
        kept.refresh()
        yield KeptPlanes(kept, wants_pb)
        return
    with ExitStack() as stack:
        residual, mask = (
            stack.enter_context(planes.opened(f"{imagename}.{kind}")) for kind in (f"residual{term}", "mask")
        )
        pb = stack.enter_context(planes.opened(f"{imagename}.pb{term}")) if wants_pb else None
        yield DiskPlanes(residual, mask, pb)


class MaskChannel:
    """The planes of one channel, one a polarisation, as they are before an update.

    Attributes
    ----------
    number : int
        The channel.
    residuals, valids, masks : list of ndarray
        See `MaskPlanes`; the masks are the channel's own to change.
    pbs : list of ndarray
        Empty where they are not wanted.
    """

    def __init__(self, images: MaskPlanes, chan: int, *, is_new: bool) -> None:
        self.number = chan
        pols = range(images.shape[2])
        self.residuals = [images.residual(pol, chan) for pol in pols]
        self.valids = [images.valid(pol, chan) for pol in pols]
        self.pbs = [pb for pol in pols if (pb := images.pb(pol, chan)) is not None]
        shape = images.shape[:2]
        self.masks = [np.zeros(shape, bool, order="F") if is_new else images.mask(pol, chan) for pol in pols]
        self.former = [np.packbits(mask.ravel(order="F")) for mask in self.masks]
        self._is_new = is_new

    def changes(self, masks: list[Plane]) -> dict[Key, Plane]:
        """Those of the new masks that differ from what is there: after a few cycles most stay as they are."""
        return {
            (pol, self.number): pixels
            for pol, pixels in enumerate(masks)
            if self._is_new or not np.array_equal(np.packbits(pixels.ravel(order="F") > 0), self.former[pol])
        }
