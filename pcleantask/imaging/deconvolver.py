"""Deconvolver: mask, minor cycle, restoration and pb correction of one image field; on CASA's synthesisdeconvolver."""

from __future__ import annotations

from typing import Any

from .. import casa, report
from ..errors import ParameterError
from ..toolrecords import Record
from .field_planes import FieldPlanes
from .iteration import IterationControl


class Deconvolver:
    """Deconvolution of one image field, on the images on disk.

    Parameters
    ----------
    imagename : str
        Name of the images without their suffixes; .residual and .psf must be there before `init_record`.
    decpars : dict
        The record of `toolrecords.to_casa_decpars`; `imagename` in it is overwritten.
    iterpars : dict, optional
        The record of `toolrecords.to_casa_iterpars`: makes the object able to `clean` alone.

    Attributes
    ----------
    sidelobe_level : float
        The PSF's highest sidelobe over all planes, relative to its peak, as `init_record` has found it.
    kept_planes : None
        No planes are kept in memory.

    Raises
    ------
    ImagingError
        CASA refuses a parameter or an image; the message is CASA's.
    """

    def __init__(self, imagename: str, decpars: Record, iterpars: Record | None = None) -> None:
        self.imagename = imagename
        self.sidelobe_level = 0.0
        self.kept_planes: FieldPlanes | None = None
        self._iterpars = iterpars
        self._given_mask = decpars.get("mask", "")
        self._fullsummary = bool(decpars.get("fullsummary", False))
        self._tool: Any = casa.load().synthesisdeconvolver()
        record = {**decpars, "imagename": imagename}
        if iterpars is not None:
            record["noRequireSumwt"] = True
        try:
            with casa.working_on("setting up the deconvolver"):
                self._tool.setupdeconvolution(decpars=record)
        except BaseException:
            self.close()
            raise

    def init_record(self) -> Record:
        """Peak residual, sidelobe level and mask sum, as `IterationControl.converged` wants them.

        Must be called before each `setup_mask` and `minor_cycle`.
        """
        with casa.working_on("reading the residual"):
            record = self._tool.initminorcycle()
        self.sidelobe_level = float(record["maxpsfsidelobe"])
        return record

    def setup_mask(self) -> None:
        """Write .mask as `usemask` says: from the user's masks, the primary beam, or CASA's auto-multithresh."""
        with casa.working_on("making the mask"):
            self._tool.setupmask()

    def minor_cycle(self, controls: Record) -> Record:
        """Clean .residual within .mask, add to .model, and return the record for `IterationControl.end_minor_cycle`."""
        with casa.working_on("running a minor cycle"):
            return self._tool.executeminorcycle(iterbotrecord=dict(controls))

    def check_beam(self) -> None:
        """Raise ImagingError where the common restoring beam is infinite."""
        with casa.working_on("checking the restoring beam"):
            self._tool.checkrestoringbeam()

    def restore(self) -> None:
        """Write .image: the model convolved with the restoring beam, plus the residual."""
        with casa.working_on("restoring the image"):
            self._tool.restore()

    def pbcor(self) -> None:
        """Write .image.pbcor: the image divided by the primary beam."""
        with casa.working_on("correcting for the primary beam"):
            self._tool.pbcor()

    def estimate_memory(self, imsize: tuple[int, int]) -> float:
        """Memory that the minor cycle will take [kB]."""
        return float(self._tool.estimatememory(list(imsize)))

    def clean(self) -> dict[str, Any]:
        """Run one set of minor cycles down to the iteration parameters' threshold, without visibilities.

        The cycle threshold is the threshold itself, as in casatasks' deconvolve.

        Returns
        -------
        dict
            What casatasks' deconvolve returns, and always a `stopDescription`.

        Raises
        ------
        ParameterError
            The object was made without iteration parameters.
        """
        if self._iterpars is None:
            raise ParameterError("Deconvolver.clean needs iterpars, got None; give them to the constructor")
        threshold = self._iterpars["threshold"]
        cyclethreshold = threshold if isinstance(threshold, str) else f"{threshold * 1000}mJy"
        control = IterationControl(
            {**self._iterpars, "cyclethreshold": cyclethreshold, "cyclethresholdismutable": False}
        )
        try:
            control.converged([self.init_record()])
            self.setup_mask()
            if control.converged([self.init_record()]):
                planes = report.residual_planes([self.imagename], [self._given_mask], fullsummary=self._fullsummary)
                return {**control.summary(), "summaryminor": planes, **report.ZERO_ITERATIONS}
            control.end_minor_cycle([self.minor_cycle(control.start_minor_cycle())])
            control.converged([self.init_record()])
            return report.clean_summary(control.summary())
        finally:
            control.close()

    def close(self) -> None:
        """Release the images."""
        self._tool.done()
