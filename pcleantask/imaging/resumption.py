"""A run leaves what the same call needs to go on after its last whole minor cycle, and goes on where one was ended."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from .. import casa
from ..progress import Progress
from ..runs.checkpoint import Checkpoint
from ..runs.publication import remove
from ..runs.shortage import NO_ROOM
from .cleaning import Cleaning
from .iteration import IterationControl
from .run import Parts, Run

COPIES = "sums-"  # how folders of copies in the checkpoint begin


class Resumption:
    """The checkpoint of a run, and what of the run is in it.

    Parameters
    ----------
    checkpoint : Checkpoint
        Of the run, begun.
    run : Run
    parts : Parts
    cleaning : Cleaning
    control : IterationControl or None
        None where nothing is cleaned.
    makes_psf : bool
        Whether the run makes PSFs; else it takes those that stand under its name.
    can_be_recalled : bool
        Whether the deconvolvers can go on where others were; if not, or if masks can't, cycles start anew.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        run: Run,
        parts: Parts,
        cleaning: Cleaning,
        control: IterationControl | None,
        *,
        makes_psf: bool,
        can_be_recalled: bool,
    ) -> None:
        self._checkpoint, self._run, self._parts, self._makes_psf = checkpoint, run, parts, makes_psf
        self._cleaning, self._control = cleaning, control
        self._copies = checkpoint.path
        self._can_be_recalled = can_be_recalled and all(mask.can_be_recalled for mask in parts.masks)

    def keep_psf(self, *, is_blank: bool) -> None:
        """Keep where the PSFs are that the run has made, and what is made with them."""
        if self._makes_psf:
            self._run.flush()
            former = list(self._checkpoint.path.glob(f"{COPIES}*"))
            self._copies = self._checkpoint.path / f"{COPIES}{uuid.uuid4().hex}"
            images = self._run.psf_images()
            images.write_through()
            images.copy_sums(self._copies)
            self._checkpoint.note(is_blank=is_blank, **self._psf())
            for entry in former:
                remove(entry)

    def _psf(self) -> dict[str, Any]:
        return {"psf": self._run.psf_images().facts(self._run.path, self._copies)} if self._makes_psf else {}

    def keep(self) -> None:
        """Keep what stands after another minor cycle."""
        if self._control is not None and self._can_be_recalled:
            sidelobes = [deconvolver.sidelobe_level for deconvolver in self._parts.deconvolvers]
            facts = {"cleaning": self._cleaning.facts(), "sidelobes": sidelobes, **self._psf()}
            try:
                self._checkpoint.keep(self._control.take_events(), self._save, **facts)
            except OSError as error:
                if error.errno not in NO_ROOM:
                    raise
                self._can_be_recalled = False  # what comes later can't be added to what is kept
                casa.post(f"No more is kept for a run that goes on: {error.strerror}", "WARN")

    def _save(self, prefix: str) -> dict[str, Any]:
        return self._run.save(self._parts, prefix)

    def recall(self) -> bool:
        """Come to where the run before has ended, if there is one: a major cycle is next."""
        found = self._checkpoint.found
        if found is None or self._control is None or found.cycle == 0:
            return False
        self._control.replay(found.events)
        self._cleaning.recall(found.facts["cleaning"])
        for deconvolver, level in zip(self._parts.deconvolvers, found.facts["sidelobes"], strict=True):
            deconvolver.sidelobe_level = level  # on which masks rest
        self._run.load(self._parts, self._checkpoint.files, found.facts)
        return True


def tell_of(checkpoint: Checkpoint, progress: Progress) -> None:
    """Say which run is gone on with, or why none is that was ended."""
    found, refusal = checkpoint.found, checkpoint.refusal
    if found is not None and found.cycle > 0:
        since = datetime.fromisoformat(found.since).strftime("%Y-%m-%d %H:%M:%S")
        text = f"Going on with the run of {since} after minor cycle {found.cycle}: {found.elapsed:.0f} s are saved"
    elif refusal:
        text = f"Starting anew, not where a run before was ended, as that differs: {refusal}"
    else:
        return
    casa.post(text)
    progress.note(text)
