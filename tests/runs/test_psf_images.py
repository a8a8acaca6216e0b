"""What a run that goes on takes over of another is on the disk itself before the checkpoint counts on it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pcleantask import PcleanConfig, SerialImager
from pcleantask.runs.checkpoint import Checkpoint
from tests.agreement.cases import CUBE


@pytest.mark.parametrize("engine", ["casa", "ducc"])
def test_images_outlive_the_host_before_a_checkpoint_tells_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dataset: Callable[[str], Path], engine: str
) -> None:
    synced: set[Path] = set()
    told: list[tuple[set[Path], set[Path]]] = []
    write_through, note = os.fsync, Checkpoint.note

    def noting_fsync(descriptor: int) -> None:
        synced.add(Path(os.readlink(f"/proc/self/fd/{descriptor}")))
        write_through(descriptor)

    def noting_note(self: Checkpoint, **facts: Any) -> None:
        if "psf" in facts:
            images = [path for path in self.path.parent.iterdir() if path.suffix in (".psf", ".pb", ".sumwt")]
            told.append((synced.copy(), {file for path in images for file in path.rglob("*") if file.is_file()}))
        note(self, **facts)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "fsync", noting_fsync)
    monkeypatch.setattr(Checkpoint, "note", noting_note)
    changes = {"vis": str(dataset("line")), "imagename": "img", "engine": engine, "nchan": 2, "niter": 10}
    with SerialImager(PcleanConfig.from_parameters(**{**CUBE, **changes})) as imager:
        imager.run()
    assert len(told) > 1  # after the PSFs, and after each minor cycle
    for known, files in told:
        assert len(files) > 20
        assert files <= known
