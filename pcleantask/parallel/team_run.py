"""What all runs with a team share: the team, its calls, and what must be known of the whole image."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import casa
from ..config import PcleanConfig
from ..errors import ImagingError
from ..images.coordinates import ImageCoordinates
from ..imaging.normalizer import Normalizer
from ..imaging.run import SerialRun
from ..processes import worker_logs
from ..processes.team import Team
from ..recordvalues import Record
from .plan import Plan

TeamMaker = Callable[[int], Team]


class TeamGridder:
    """What Gridders on a team have in common: their calls run on every worker."""

    def __init__(self, run: TeamRun) -> None:
        self._run = run

    @property
    def nchan(self) -> int:
        return self._run.coordinates[0].nchan

    def major_cycle(self, *, last: bool) -> None:
        self._run.steps("major_cycle", last)
        self._run.note_major_cycle(last=last)

    def predict(self, *, tuned: bool = False) -> None:
        """The model is saved when the whole of it is there."""
        self._run.saves_tuned = tuned

    def estimate_memory(self) -> float:
        return sum(self._run.steps("estimate_memory"))

    def close(self) -> None:
        self._run.close_parts()


class TeamRun(SerialRun, abc.ABC):
    """A run on a team of workers.

    Parameters
    ----------
    config : PcleanConfig
        What to image, and how.
    plan : Plan
        How many workers to use at most.
    make_team : callable
        Makes a team of the size it is given, or a smaller one.

    Attributes
    ----------
    saves_tuned : bool or None
        Whether the model, when it is saved, leaves alone what is far from a cube's channels; None: it isn't saved.
    """

    def __init__(self, config: PcleanConfig, plan: Plan, make_team: TeamMaker) -> None:
        super().__init__(config)
        self._plan, self._make_team = plan, make_team
        self._team: Team | None = None
        self.saves_model = config.run.savemodel != "none"
        self.saves_tuned: bool | None = None
        self.coordinates: list[ImageCoordinates] = []
        self._npart = 0
        self._hosts: list[str] = []

    @property
    def _part_config(self) -> PcleanConfig:
        """The configuration of the parts, which save no models."""
        return dataclasses.replace(self._config, run=dataclasses.replace(self._config.run, savemodel="none"))

    def _start_team(self, size: int) -> int:
        """Start the team, if it isn't there yet; its size."""
        if self._team is None:
            self._team = self._make_team(size)
        self._npart = min(size, self._team.size)
        self._hosts = [answer["host"] for answer in self.call("hello", [()] * self._npart)]
        return self._npart

    def _use_workers(self, size: int) -> None:
        """Leave those of the team alone that there is nothing to do for."""
        self._npart, self._hosts = size, self._hosts[:size]

    @abc.abstractmethod
    def share_of(self, rank: int) -> str:
        """What of the whole the worker of that rank images, for the log."""

    def publish(self, history: Mapping[str, Any]) -> None:
        """Save the model where that is asked for, say who did what, and publish."""
        self.save_model()
        self._tell_of_workers()
        super().publish(history)

    def log_of(self, rank: int) -> Path:
        """Where CASA's messages in that worker go."""
        return self.path / f"part{rank}.log"

    def _tell_of_workers(self) -> None:
        """Write into the log who did what, and what the workers were warned of: their own logs go with the folder."""
        logs = [self.log_of(rank) for rank in range(self._npart)]
        for warning in worker_logs.warnings(logs):
            casa.post(warning, "WARN")
        shares = [f"worker {rank} on {host}: {self.share_of(rank)}" for rank, host in enumerate(self._hosts)]
        casa.post(
            f"Imaged by {self._npart} workers ({'; '.join(shares)}). Their logs, {logs[0].name} and so on in "
            f"{self.shown_path!r}, have gone with that folder; a run that fails leaves them there"
        )

    def _read_coordinates(self, *, with_model: bool = False) -> None:
        """Find each field's coordinate system; see `coordinates.image_coordinates`."""
        arguments = (str(self.log_of(0)), self._part_config.to_dict(), list(self.imagenames), with_model)
        found = self.call("coordinates", [arguments])[0]
        self.coordinates = [ImageCoordinates(record, nchan) for record, nchan in found]

    def call(self, method: str, arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Call a method of the workers, each with its own arguments."""
        if self._team is None:
            raise ImagingError(f"there is no team to {method}: it is closed")
        return self._team.call_each(method, arguments)

    def steps(self, step: str, *values: Any) -> list[Any]:
        """Do a step of every part, with the same arguments."""
        return self.call("part", [(step, *values)] * self._npart)

    def each_step(self, step: str, arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Do a step of every part, each with its own arguments."""
        return self.call("part", [(step, *values) for values in arguments])

    @property
    def coordinate_records(self) -> list[Record]:
        """Each field's coordinate system as CASA's record, for workers."""
        return [image.record for image in self.coordinates]

    def close_parts(self) -> None:
        """Let the workers release their tools."""
        if self._team is not None and self._team.size:
            self.call("close_part", [()] * self._npart)

    def note_major_cycle(self, *, last: bool) -> None:
        """Note whether a serial run's major cycle would have saved the model."""
        saves = last and not self._config.saves_model_late
        self.saves_tuned = self._config.grids_by_channel if saves else None

    def save_model(self) -> None:
        """Predict the whole model and save it with the data, in this process: the MeasurementSet is one for all.

        It is saved as the serial run would save it, by a last major cycle or afterwards; such a cycle of a cube writes
        only to channels of the data that are near the cube's.
        """
        if not self.saves_model or self.saves_tuned is None:
            return
        gridder = self.make_saving_gridder()
        normalizers = [Normalizer(record, store=self.store) for record in self._records.normpars]
        try:
            for normalizer in normalizers:
                normalizer.divide_model()
            gridder.predict(tuned=self.saves_tuned)
            for normalizer in normalizers:
                normalizer.restore_model()
        finally:
            gridder.close()
            for normalizer in normalizers:
                normalizer.close()

    def close(self) -> None:
        super().close()
        team, self._team = self._team, None
        if team is not None:
            team.close()
