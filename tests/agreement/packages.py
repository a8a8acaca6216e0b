"""Packages that single tests need, from the index, into temporary folders."""

from __future__ import annotations

import subprocess
import sys

import pytest

INDEX_S = 180.0


def install(package: str, *more: str) -> None:
    """Install a package from the index, without what it depends on; skip the test where that is out of reach.

    `more` are other packages, and pip's options that say where to.
    """
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--ignore-installed", *more, package]
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=INDEX_S, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip(f"no answer of the package index about {package} in {INDEX_S} s")
    if run.returncode:
        pytest.skip(f"{package} can't be had from the package index: {run.stderr.strip()[-300:]}")
