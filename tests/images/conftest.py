"""What tests of images share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pcleantask import casa

SHAPE = (12, 8, 2, 5)


@pytest.fixture
def casa_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for one test, and the working directory of CASA's tools, which are loaded."""
    casa.load()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make_image(path: Path, pixels: np.ndarray) -> str:
    """An image of these pixels, [x, y, pol, chan]; its path."""
    tool = casa.load().image()
    tool.fromarray(str(path), pixels, linear=False, overwrite=True, log=False)
    tool.close()
    return str(path)


@pytest.fixture
def pixels() -> np.ndarray:
    """[x, y, pol, chan], no two alike."""
    return np.arange(np.prod(SHAPE), dtype=np.float32).reshape(SHAPE, order="F")


@pytest.fixture
def image(tmp_path: Path, pixels: np.ndarray) -> str:
    return make_image(tmp_path / "img.residual", pixels)


def make_folders(*names: str, mark: str = "") -> None:
    """Folders such as images are, with a file that says whose they are."""
    for name in names:
        Path(name).mkdir(parents=True)
        (Path(name) / "table.dat").write_text(mark, encoding="utf-8")


def mark(name: str | Path) -> str:
    """What the folder's file says."""
    return (Path(name) / "table.dat").read_text(encoding="utf-8")
