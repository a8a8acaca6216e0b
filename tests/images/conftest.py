"""What tests of images share."""

from __future__ import annotations

from pathlib import Path

import pytest

from pcleantask import casa


@pytest.fixture
def casa_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for one test, and the working directory of CASA's tools, which are loaded."""
    casa.load()
    monkeypatch.chdir(tmp_path)
    return tmp_path
