"""The Gridder protocol: what the clean loop asks of whatever puts visibilities on grids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ..images.coordinates import ImageCoordinates


class Gridder(Protocol):
    """Makes images, not yet normalized, from visibilities less models; one object serves all image fields."""

    @property
    def nchan(self) -> int:
        """How many channels a cube has, which the parameters may leave to the data."""

    def set_weighting(self) -> None:
        """Set the imaging weights; called once, before anything is gridded."""

    def make_psf(self) -> None:
        """Grid the weights: write .psf, .sumwt and .weight of every field."""

    def make_pb(self) -> None:
        """Write .pb of every field."""

    def check_pb(self) -> None:
        """Warn where a primary beam reaches the edge of its image."""

    def major_cycle(self, *, last: bool) -> None:
        """Predict the models, subtract them from the data and grid what is left: write .residual of every field."""

    def predict(self, *, tuned: bool = False) -> None:
        """Predict the models and save them with the visibilities, as `savemodel` says.

        `tuned` leaves out data whose frequencies are far from the images'.
        """

    def estimate_memory(self) -> float:
        """Memory that gridding will take [kB]."""

    def close(self) -> None:
        """Release the data and the images."""


class RowGridder(Gridder, Protocol):
    """A Gridder of some rows, whose weights may rest on a density of all rows."""

    def weight_density(self) -> str:
        """Write the density of these rows; its path."""

    def use_weight_density(self, path: str) -> None:
        """Set the weights by the density of all rows."""


@dataclass(frozen=True)
class WholeCube:
    """The cube of which a gridder makes some channels.

    Attributes
    ----------
    coordinates : sequence of ImageCoordinates
        Each image field's.
    first : int
        The channel that is the first of those made.
    guards : set of int
        Channels, counted from `first`, that need no residual.
    """

    coordinates: Sequence[ImageCoordinates]
    first: int = 0
    guards: frozenset[int] = frozenset()
