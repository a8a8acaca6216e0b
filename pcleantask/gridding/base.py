"""The Gridder protocol: what the clean loop asks of whatever puts visibilities on grids."""

from __future__ import annotations

from typing import Protocol


class Gridder(Protocol):
    """Makes images, not yet normalized, from visibilities less models; one object serves all image fields."""

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
