"""Limits on memory: a run that they leave no room for is refused by name, and none is ended by a signal or hangs."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pcleantask import memory
from pcleantask.errors import MemoryLimitError
from tests.agreement.cases import CUBE

ROOT = Path(__file__).resolve().parent.parent
LIMIT_S = 120.0
GB = 1 << 30
LIMITED = """
import json, resource, sys
from pcleantask import pclean
limit, parameters = int(sys.argv[1]), json.loads(sys.argv[2])
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
pclean(**parameters)
print("imaged")
"""


def group(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    return folder


def test_what_groups_leave_is_the_least_of_them(tmp_path: Path) -> None:
    own = tmp_path / "cgroup"
    own.write_text("4:memory:/jobs/7\n0::/user/me\n")
    stat = "inactive_file 300\nother 5\n"
    group(tmp_path / "user" / "me", memory__max="max", memory__current="900", memory__stat=stat)
    outer = tmp_path / "user"
    for name, text in (("memory.max", "5000"), ("memory.current", "1000"), ("memory.stat", stat)):
        (outer / name).write_text(text)
    assert memory.left_of_groups(own, tmp_path) == 5000 - 1000 + 300
    group(
        tmp_path / "memory" / "jobs" / "7",
        memory__limit_in_bytes="4000",
        memory__usage_in_bytes="3990",
        memory__stat="total_inactive_file 10\n",
    )
    assert memory.left_of_groups(own, tmp_path) == 20


def test_groups_without_limits_leave_all(tmp_path: Path) -> None:
    assert memory.left_of_groups(tmp_path / "absent", tmp_path) == math.inf
    (tmp_path / "cgroup").write_text("0::/elsewhere\n")
    assert memory.left_of_groups(tmp_path / "cgroup", tmp_path) == math.inf


def test_what_does_not_fit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "left_of_addresses", lambda: 3.0 * GB)
    monkeypatch.setattr(memory, "left_of_groups", lambda: 2.0 * GB)
    memory.check_fits(1.5 * GB)
    with pytest.raises(MemoryLimitError, match=r"needs 2\.1 GB .* control group .* leaves 2\.0 GB"):
        memory.check_fits(2 * GB)


def limited(folder: Path, gigabytes: float, **parameters: Any) -> subprocess.CompletedProcess[str]:
    """A run in a process whose address space has that size."""
    return subprocess.run(
        [sys.executable, "-c", LIMITED, str(int(gigabytes * GB)), json.dumps({**parameters, "imagename": "img"})],
        cwd=folder, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(folder)},
        capture_output=True, text=True, timeout=LIMIT_S, check=False,
    )  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="macOS has no limit on addresses")
@pytest.mark.parametrize("engine", ["casa", "ducc"])
@pytest.mark.parametrize(
    ("gigabytes", "workers"),
    [
        (0.3, 0),
        (1.0, 0),
        (1.3, 0),
        (1.3, 2),
        *(pytest.param(size / 10, 0, marks=pytest.mark.long) for size in range(4, 26)),
    ],
)
def test_run_under_a_limit_is_made_or_refused(
    dataset: Callable[[str], Path], tmp_path: Path, engine: str, gigabytes: float, workers: int
) -> None:
    (tmp_path / "line.ms").symlink_to(dataset("line"))
    more = {"parallel": True, "nworkers": workers} if workers else {}
    large = {**CUBE, "engine": engine, "imsize": 1024, "niter": 20, "cycleniter": 20, **more}
    run = limited(tmp_path, gigabytes, **large)
    if run.returncode == 0:
        assert "imaged" in run.stdout
        return
    assert run.returncode == 1, run.stderr
    assert "MemoryLimitError" in run.stderr.splitlines()[-1] or "MemoryLimitError" in run.stderr, run.stderr
    assert "leaves" in run.stderr or "CASA takes" in run.stderr, run.stderr
