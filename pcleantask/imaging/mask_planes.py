"""What an automask reads and writes, channel by channel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..images.store import Key, Pixels, StoredImage
from .robust import Mask, Plane


@dataclass(frozen=True)
class MaskImages:
    """The images of one field from which masks come.

    Attributes
    ----------
    residual, mask : StoredImage
    pb : StoredImage, optional
        None where it is not wanted.
    """

    residual: StoredImage
    mask: StoredImage
    pb: StoredImage | None = None

    def channels(self, wanted: Sequence[int], *, is_new: bool) -> list[MaskChannel]:
        """The planes of some channels; `is_new` takes no notice of what is in .mask."""
        residuals = self.residual.channels(wanted)
        pbs = self.pb.channels(wanted) if self.pb else [[] for _ in wanted]
        masks = [[np.zeros_like(plane) for plane in row] for row in residuals] if is_new else self.mask.channels(wanted)
        return [
            MaskChannel(
                number,
                residual,
                [self.residual.valid(number, pol) for pol in range(len(residual))],
                pb,
                mask,
                is_new=is_new,
            )
            for number, residual, pb, mask in zip(wanted, residuals, pbs, masks, strict=True)
        ]


class MaskChannel:
    """The planes of one channel, one a polarisation, as they are before an update; `automask` wants them [x, y].

    Parameters
    ----------
    number : int
        The channel.
    residuals, pbs, masks : sequence of ndarray
        float32 [y, x]; the second may be empty.
    valids : sequence of ndarray of bool
        Pixel masks [y, x]; None where all pixels are good.
    is_new : bool
        Whether nothing is in .mask yet.
    """

    def __init__(
        self,
        number: int,
        residuals: Sequence[Pixels],
        valids: Sequence[Mask | None],
        pbs: Sequence[Pixels],
        masks: Sequence[Pixels],
        *,
        is_new: bool,
    ) -> None:
        self.number = number
        self.residuals: list[Plane] = [plane.T for plane in residuals]
        self.valids: list[Mask | None] = [None if valid is None else valid.T for valid in valids]
        self.pbs: list[Plane] = [plane.T for plane in pbs]
        self.masks: list[Mask] = [(plane > 0).T for plane in masks]  # the channel's own to change
        self.former = [_bits(mask) for mask in self.masks]
        self._is_new = is_new

    def changes(self, masks: Sequence[Plane]) -> dict[Key, Pixels]:
        """New masks [x, y] that differ from what is there, as [y, x]: after a few cycles most don't."""
        return {
            (self.number, pol): plane.T
            for pol, plane in enumerate(masks)
            if self._is_new or not np.array_equal(_bits(plane > 0), self.former[pol])
        }


def _bits(mask: Mask) -> NDArray[np.uint8]:
    """A mask [x, y] in an eighth of its memory."""
    return np.packbits(mask.ravel(order="F"))


def unpacked(bits: NDArray[np.uint8], shape: tuple[int, int]) -> Pixels:
    """A mask of `MaskChannel.former`, float32 [y, x]; `shape` is (nx, ny)."""
    nx, ny = shape
    return np.unpackbits(bits, count=nx * ny).astype(np.float32).reshape(ny, nx)
