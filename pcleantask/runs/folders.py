"""The work folders of a run, one for each image field, and what a run before has left under their names."""

from __future__ import annotations

import dataclasses
import math
import os
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..config import PcleanConfig
from ..errors import OutputError
from ..images.history import write_history
from ..images.planes import is_image
from ..images.products import check_former, counted_names
from ..memory import left_by_limits, readable
from ..sections import ImageField
from .checkpoint import FOLDER, Checkpoint
from .folder import WorkFolder, complete_publications
from .identity import FORMER, difference, identity_of
from .lock import Heartbeat, Owner, new_owner
from .psf_images import PsfImages
from .publication import publish
from .reserve import Reserve
from .shortage import may_tell_of_full_disk, room_in_words, tells_of_full_disk
from .space import MADE_IN, bytes_to_come, check_space

SCRATCH = "scratch"
SPARE, SPARE_SHARE = 64 << 20, 0.1  # bytes to hold beside what images take, at most that share of what is free
PAD = 4 << 20  # bytes that a step finds free
LEAST_FREE = 128 << 20  # bytes: with fewer on the disk, or in memory, that may be why a run fails
ShapeCheck = Callable[[ImageField], None]


class WorkFolders:
    """Where the images of a run are made, until they take their final names.

    Parameters
    ----------
    config : PcleanConfig
        What to image, and how.

    Attributes
    ----------
    imagenames : tuple of str
        Each field's image name in its work folder.
    pieces : sequence of sequence of str
        For each field, the names of the pieces of which its images are put together at the end, where that is so.
    nchans : sequence of int or None
        For each field, its number of channels, where the data tell it and have been asked.
    checkpoint : Checkpoint or None
        What the run leaves for the same call to go on with, and has found of it; None where steps are called by hand.
    psf : PsfImages or None
        PSFs, primary beams and weights of the run that this one goes on with, where they are whole.
    result : dict or None
        What the run returns, where it was ended as all products were whole; they stand under their names then.
    """

    def __init__(self, config: PcleanConfig) -> None:
        self._config = config
        self.checkpoint: Checkpoint | None = None
        self.psf: PsfImages | None = None
        self.result: dict[str, Any] | None = None
        self.pieces: Sequence[Sequence[str]] = ()
        self.nchans: Sequence[int | None] = ()
        self._heartbeat: Heartbeat | None = None
        self._reserves: list[Reserve] = []  # one for each field's images
        self._spare: Reserve | None = None  # beside what images take
        self._find_names()

    def _find_names(self) -> None:
        """Find the products' names, which with restart=False depend on what is there when a run begins."""
        names = tuple(entry.imagename for entry in self._config.fields)
        self._finals = names if self._config.run.restart else counted_names(names)
        self._folders = [WorkFolder(name) for name in self._finals]
        self.imagenames = tuple(folder.imagename for folder in self._folders)

    @property
    def path(self) -> Path:
        """The folder of the main field, absolute."""
        return self._folders[0].path

    @property
    def shown(self) -> str:
        """The folder of the main field as the user would write it."""
        return self._folders[0].shown

    @property
    def scratch(self) -> Path:
        """The folder in which CASA works."""
        return self.path / SCRATCH

    def create(self, check_shape: ShapeCheck, *, is_whole_run: bool = False) -> None:
        """Make the folders, or take over those of a dead run; a publication that it was at is completed.

        Parameters
        ----------
        check_shape : callable
            Raises ParameterError where a field's images of a run before have a shape that is wrong by the parameters.
        is_whole_run : bool
            Whether the run can go on where one was ended, and leave what one needs for that.

        Raises
        ------
        ParameterError, OutputError
            Before anything is written, or as a folder can't be made.
        """
        owner = new_owner()
        ended = [run for entry in self._config.fields for run in complete_publications(entry.imagename, owner)]
        if is_whole_run and self._config.run.resume:
            self.result = self._result_among(ended)
            if self.result is not None:
                return
        self._find_names()
        self._check_former(check_shape)
        self.check_space()
        self._take(owner)
        try:
            self._prepare(owner.since, is_whole_run=is_whole_run)
        except BaseException:
            self._give_back(self._folders)
            raise
        self._heartbeat = Heartbeat([folder.lock for folder in self._folders])

    def _hold_room(self, step: str) -> None:
        """Hold the room on the disk for what later steps make."""
        try:
            self._reserves = self._reserves or [Reserve(folder.path) for folder in self._folders]
            made = MADE_IN.get(step, ())
            for number, (field, name) in enumerate(zip(self._config.fields, self.imagenames, strict=True)):
                pieces = self.pieces[number] if self.pieces else ()
                nchan = self.nchans[number] if self.nchans else None
                self._reserves[number].hold(bytes_to_come(self._config, field, name, pieces, nchan, made))
            self._hold_spare()
        except OSError as error:
            raise OutputError(
                f"imagename {self._finals[0]!r}: the room that the images need can't be had ({error.strerror})"
            ) from error

    def _hold_spare(self) -> None:
        """Hold some room beside that of images, and give of it where somebody has taken all that was free."""
        free = shutil.disk_usage(self.path).free
        if self._spare is None:
            self._spare = Reserve(self.path)
            self._spare.hold(SPARE if free > SPARE / SPARE_SHARE else 0)
        elif free < PAD:  # tables are written anew
            self._spare.hold(max(0, self._spare.size - PAD))

    def _prepare(self, since: str, *, is_whole_run: bool) -> None:
        """Make the folders ready, but for what this run goes on with."""
        if is_whole_run:
            self._begin_checkpoint(since)
        kept = self.psf.entries() if self.psf else set()
        for folder in self._folders:
            folder.clear(but={*kept, self.path / FOLDER} if is_whole_run else ())
        self.scratch.mkdir()

    def _result_among(self, ended: list[tuple[dict[str, Any], dict[str, Any]]]) -> dict[str, Any] | None:
        """What this run returns, if it is one of those that were ended with all products whole."""
        if not ended:
            return None
        own = identity_of(self._config.with_absolute_paths(), ())
        return next((result for identity, result in ended if not difference(identity, own, but=FORMER)), None)

    @property
    def reached(self) -> str:
        """How far the run has come, and what its user can do, in words."""
        cycle = self.checkpoint.cycle if self.checkpoint else 0
        came = f"after minor cycle {cycle}" if cycle else "before its first minor cycle was over"
        return f"{came}; the same call goes on from there"

    @property
    def shortage(self) -> str:
        """How little room the disk has, and how little memory limits leave, in words; '' where neither is little."""
        left = left_by_limits()
        memory = f"limits leave {readable(left)} of memory" if left < LEAST_FREE else ""
        return "; ".join(filter(None, (room_in_words(self._places, LEAST_FREE), memory)))

    def advice(self, error: BaseException) -> str:
        """What an error says that is there as a disk is full, how much room there is, and what to do; '' of others."""
        is_full = tells_of_full_disk(error)
        place = getattr(error, "filename", None)
        places = [Path(os.fsdecode(place)).absolute()] if place else self._places
        room = room_in_words(places, math.inf if is_full else LEAST_FREE) if may_tell_of_full_disk(error) else ""
        if not (is_full or room):
            return ""
        said = getattr(error, "strerror", None) or str(error)
        free = f"; {room}, beside what this run holds" if room else ""
        return (
            f"imagename {self._finals[0]!r}: {said.removeprefix(f'imagename {self._finals[0]!r}: ')}{free}; make room "
            f"there, and the same call goes on where this one ended, or choose another place"
        )

    @property
    def _places(self) -> list[Path]:
        """Where the run writes."""
        written = self._config.selections if self._config.run.savemodel != "none" else ()
        return [*(folder.path for folder in self._folders), *(Path(entry.vis).absolute() for entry in written)]

    def _begin_checkpoint(self, since: str) -> None:
        """Look whether all folders are a dead run's that was this one, and begin a checkpoint."""
        formers = {folder.former.run if folder.former else "" for folder in self._folders}
        self.checkpoint = Checkpoint(self.path)
        identity = identity_of(self._config.with_absolute_paths(), self._finals)
        self.checkpoint.begin(
            identity, since, resumes=self._config.run.resume and len(formers) == 1 and "" not in formers
        )
        found = self.checkpoint.found
        psf = PsfImages.found(found.facts["psf"], self.path) if found and "psf" in found.facts else None
        self.psf = psf.set_aside() if psf else None

    def _take(self, owner: Owner) -> None:
        """Take all folders, or none."""
        taken: list[WorkFolder] = []
        try:
            for folder in self._folders:
                folder.take(dataclasses.replace(owner, main=os.path.relpath(self.path, folder.path)))
                taken.append(folder)
        except BaseException:
            self._give_back(taken)
            raise

    @staticmethod
    def _give_back(folders: Sequence[WorkFolder]) -> None:
        """Leave the disk as it was: folders of runs before stay."""
        for folder in reversed(folders):
            folder.give_up() if folder.former else folder.remove(with_parents=True)

    def carry_over(self) -> None:
        """Copy in what this run reads of a run before rather than makes."""
        run = self._config.run
        for folder in self._folders if run.restart else []:
            folder.carry_over(calcpsf=run.calcpsf, calcres=run.calcres)

    def _check_former(self, check_shape: ShapeCheck) -> None:
        """Raise ParameterError where images of a run before are wanted and not there, or are of another shape."""
        run = self._config.run
        cleans = self._config.iteration.niter > 0
        for entry, name in zip(self._config.fields, self._finals, strict=True):
            term = ".tt0" if entry.multiterm else ""
            others = [f"{name}.{kind}{term}" for kind in ("residual", "model")]
            can_begin = not run.calcres or any(map(is_image, others))  # CASA makes a residual if any image is there
            if not run.calcpsf and (cleans or not can_begin):
                check_former(name, f"psf{term}", "calcpsf=False")
            if not run.calcres and cleans:
                check_former(name, f"residual{term}", "calcres=False")
        for entry in self._config.fields if run.restart else []:
            check_shape(entry)

    def check_space(self, step: str = "") -> None:
        """Raise OutputError where the disk has no room for the images to come, or another run has taken the folders.

        What the steps after `step` make is given room that nobody else can take.
        """
        self._check_owned()
        held: Counter[int] = Counter()
        for folder, reserve in zip(self._folders, self._reserves, strict=False):
            held[folder.path.stat().st_dev] += reserve.size
        check_space(self._config, self.imagenames, self.pieces, self.nchans, held)
        if self._heartbeat is not None:
            self._hold_room(step)

    def _check_owned(self) -> None:
        if self._heartbeat is not None and not all(folder.is_owned() for folder in self._folders):
            raise OutputError(
                f"imagename {self._finals[0]!r}: another process has taken {self.shown!r} over, as this one gave "
                f"no sign of life"
            )

    def publish(self, history: Mapping[str, Any]) -> None:
        """Write the history and give the products their final names, all of them or none."""
        self._check_owned()
        for folder in self._folders:
            write_history(folder.imagename, history)
        moves = [move for folder in self._folders for move in folder.moves()]
        publish(self.path, moves, [folder.path for folder in self._folders])
        self._remove(with_parents=False)

    def discard(self) -> None:
        """Leave the disk as it was before; what this run goes on with stays for the next."""
        if self.checkpoint is not None and self.checkpoint.found is not None:
            self.give_up()
        else:
            self._remove(with_parents=True)

    def _remove(self, *, with_parents: bool) -> None:
        self._stop_heartbeat()
        for folder in reversed(self._folders):  # the main field's, with the journal of the publication in it, last
            folder.remove(with_parents=with_parents)

    def give_up(self) -> None:
        """Leave the folders, where they are there still, to the next run."""
        self._stop_heartbeat()
        for folder in self._folders:
            folder.give_up()

    def _stop_heartbeat(self) -> None:
        heartbeat, self._heartbeat = self._heartbeat, None
        if heartbeat is not None:
            heartbeat.stop()
        self.let_go_of_room()

    def let_go_of_room(self) -> None:
        """Let go of the room on the disk that is held for images to come."""
        reserves = [*self._reserves, *([self._spare] if self._spare else [])]
        self._reserves, self._spare = [], None
        for reserve in reserves:
            reserve.close()
