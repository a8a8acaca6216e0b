"""Normalizer: gather partial images, divide by weight, scatter the model; on CASA's synthesisnormalizer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import casa
from ..images.store import ImageStore
from ..recordvalues import Record
from ..toolrecords import checked_record


class Normalizer:
    """Normalization of one image field.

    Parameters
    ----------
    normpars : dict
        The record of `toolrecords.to_casa_normpars`.
    partimagenames : sequence of str, optional
        Names of the partial images that `gather_*` sums up and `scatter_model` serves; none where one gridder makes the
        whole image.
    store : ImageStore, optional
        The images of the run, where others have them in memory.

    Raises
    ------
    ParameterError
        The record isn't what it should be.
    ImagingError
        CASA refuses a parameter; the message is CASA's.
    """

    def __init__(
        self, normpars: Record, partimagenames: Sequence[str] | None = None, *, store: ImageStore | None = None
    ) -> None:
        record = dict(checked_record("normpars", normpars, "imagename"))
        if partimagenames:
            record["partimagenames"] = list(partimagenames)
        self._store = store or ImageStore(keeps=False)
        self._tool: Any = casa.load().synthesisnormalizer()
        try:
            with self._store.on_disk("setting up the normalizer"):
                self._tool.setupnormalizer(normpars=record)
        except BaseException:
            self.close()
            raise

    def normalize_psf(self) -> None:
        """Gather the PSF and its weight, divide the PSF by the weight, and the weight by the sum of weights."""
        with self._store.on_disk("normalizing the PSF"):
            self._tool.gatherpsfweight()
            self._tool.dividepsfbyweight()
            if hasattr(self._tool, "divideweightbysumwt"):  # since casatools 6.7; the gridders of 6.6 divide themselves
                self._tool.divideweightbysumwt()

    def fit_beam(self) -> None:
        """Fit the restoring beam to a PSF that is normalized already."""
        with self._store.on_disk("fitting the restoring beam"):
            self._tool.makepsfbeamset()

    def normalize_pb(self) -> None:
        """Normalize the primary beam to its peak, and mask it at pblimit."""
        with self._store.on_disk("normalizing the primary beam"):
            self._tool.normalizeprimarybeam()

    def divide_model(self) -> None:
        """Turn the model into the one to predict, and scatter it to the parts."""
        with self._store.on_disk("preparing the model for prediction"):
            self._tool.dividemodelbyweight()
            self._tool.scattermodel()

    def normalize_residual(self) -> None:
        """Gather the residual and divide it by the weight."""
        with self._store.on_disk("normalizing the residual"):
            self._tool.gatherresidual()
            self._tool.divideresidualbyweight()

    def restore_model(self) -> None:
        """Undo what `divide_model` did to the model on disk."""
        with self._store.on_disk("putting the model back"):
            self._tool.multiplymodelbyweight()

    def unlock(self) -> None:
        """Release the locks on the images."""
        with self._store.in_scratch():
            self._tool.unlockimages()

    def close(self) -> None:
        """Release the images."""
        with self._store.in_scratch():
            self._tool.done()
