"""Deconvolver: mask, minor cycle, restoration and pb correction of one image field; on CASA's synthesisdeconvolver."""

from __future__ import annotations

from typing import Any

from .. import casa, report
from ..errors import MissingInputError, ParameterError
from ..images.planes import is_image
from ..images.store import ImageStore
from ..minorrecords import ExecRecord, InitRecord, MinorControls
from ..recordvalues import Record
from ..toolrecords import checked_record
from ..traits import makes_terms
from .iteration import IterationControl


class Deconvolver:
    """Deconvolution of one image field, on the images on disk.

    Parameters
    ----------
    imagename : str
        Name of the images without their suffixes; .residual and .psf must be there before `init_record`.
    decpars : dict
        The record of `toolrecords.to_casa_decpars`; `imagename` in it is overwritten. It can't be left out, not even
        beside `iterpars`.
    iterpars : dict, optional
        The record of `toolrecords.to_casa_iterpars`: makes the object able to `clean` alone.
    store : ImageStore, optional
        The images of the run, where others have them in memory.

    Attributes
    ----------
    sidelobe_level : float
        The PSF's highest sidelobe over all planes, relative to its peak, as `init_record` has found it.
    leaves_residual : bool
        False: a minor cycle brings .residual up to date, as well as it can without visibilities.

    Raises
    ------
    ParameterError
        One of the records isn't what it should be.
    ImagingError
        CASA refuses a parameter or an image; the message is CASA's.
    """

    def __init__(
        self,
        imagename: str,
        decpars: Record | None = None,
        iterpars: Record | None = None,
        *,
        store: ImageStore | None = None,
    ) -> None:
        decpars = checked_record("decpars", decpars, "deconvolver")
        if iterpars is not None:
            checked_record("iterpars", iterpars, "niter")
        self.imagename = imagename
        self.sidelobe_level = 0.0
        self.leaves_residual = self._has_looked = False
        self._iterpars = iterpars
        self._store = store or ImageStore(keeps=False)
        self._term = ".tt0" if makes_terms(decpars["deconvolver"]) else ""
        self._suffixes_needed = _suffixes_needed(decpars)
        self._given_mask = decpars.get("mask", "")
        self._fullsummary = bool(decpars.get("fullsummary", False))
        self._tool: Any = casa.load().synthesisdeconvolver()
        record = {**decpars, "imagename": imagename}
        if iterpars is not None:
            record["noRequireSumwt"] = True
        try:
            with self._store.on_disk("setting up the deconvolver"):
                self._tool.setupdeconvolution(decpars=record)
        except BaseException:
            self.close()
            raise

    def init_record(self) -> InitRecord:
        """Peak residual, sidelobe level and mask sum, as `IterationControl.converged` wants them.

        Must be called before each `minor_cycle`; CASA's tool wants it before the first mask as well.
        """
        self._has_looked = True
        with self._store.on_disk("reading the residual"):
            record: InitRecord = self._tool.initminorcycle()
        self.sidelobe_level = float(record["maxpsfsidelobe"])
        return record

    def setup_mask(self) -> None:
        """Write .mask as `usemask` says: from the user's masks, the primary beam, or CASA's auto-multithresh."""
        if not self._has_looked:
            self.init_record()
        with self._store.on_disk("making the mask"):
            self._tool.setupmask()

    def minor_cycle(self, controls: MinorControls) -> ExecRecord:
        """Clean .residual within .mask, add to .model, and return the record for `IterationControl.end_minor_cycle`."""
        with self._store.on_disk("running a minor cycle"):
            record: ExecRecord = self._tool.executeminorcycle(iterbotrecord=dict(controls))
            return record

    def check_beam(self) -> None:
        """Raise ImagingError where the common restoring beam is infinite."""
        with self._store.on_disk("checking the restoring beam"):
            self._tool.checkrestoringbeam()

    def restore(self) -> None:
        """Write .image: the model convolved with the restoring beam, plus the residual."""
        with self._store.on_disk("restoring the image"):
            self._tool.restore()

    def pbcor(self) -> None:
        """Write .image.pbcor: the image divided by the primary beam.

        Raises
        ------
        MissingInputError
            There is no .image, so that CASA would do nothing: `restore` makes it.
        """
        if not is_image(f"{self.imagename}.image{self._term}"):
            raise MissingInputError(
                f"Deconvolver.pbcor needs {self.imagename}.image{self._term}, which can't be found, or is no image: "
                f"call restore first"
            )
        with self._store.on_disk("correcting for the primary beam"):
            self._tool.pbcor()

    def estimate_memory(self, imsize: tuple[int, int]) -> float:
        """Memory that the minor cycle will take [kB]."""
        with self._store.in_scratch():
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
        MissingInputError
            .psf or .residual is not there, or .pb, which n-sigma thresholds and masks by the primary beam need.
        """
        if self._iterpars is None:
            raise ParameterError("Deconvolver.clean needs iterpars, got None; give them to the constructor")
        self._check_images()
        threshold = self._iterpars.get("threshold", 0.0)
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

    def facts(self, first: int, own: range | None) -> dict[str, Any]:
        """Nothing: CASA's tool finds in the images what it needs."""
        return {}

    def recall(self, found: list[dict[str, Any]], first: int) -> None:
        """Nothing to know."""

    def _check_images(self) -> None:
        """Raise MissingInputError where an image is not there that `clean` reads."""
        needed = [f"{self.imagename}.{suffix}" for suffix in self._suffixes_needed]
        missing = [path for path in needed if not is_image(path)]
        if missing:
            raise MissingInputError(
                f"Deconvolver.clean needs {', '.join(needed)}, of which {', '.join(missing)} can't be found, or is no "
                f"image: make it first, or give another imagename"
            )

    def close(self) -> None:
        """Release the images."""
        with self._store.in_scratch():
            self._tool.done()


def _suffixes_needed(decpars: Record) -> list[str]:
    """The images that minor cycles read, as casatasks' deconvolve wants them."""
    needs_pb = decpars.get("nsigma", 0.0) > 0 or decpars.get("usemask") == "pb"
    if not makes_terms(decpars["deconvolver"]):
        return ["psf", "residual", *(["pb"] if needs_pb else [])]
    nterms = int(decpars["nterms"])
    terms = [f"psf.tt{term}" for term in range(2 * nterms - 1)] + [f"residual.tt{term}" for term in range(nterms)]
    return [*terms, *(["pb.tt0"] if needs_pb else [])]
