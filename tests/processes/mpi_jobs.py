"""MPI jobs for tests: an environment for each MPI, its mpiexec, and jobs that can neither hang nor leave a process.

An environment is a virtual one with the wheel of an MPI and a copy of mpi4py in it, which looks for the MPI beside
itself; all else comes from the environment that runs the tests.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.agreement.cases import CUBE, MFS
from tests.agreement.compare import products
from tests.agreement.packages import install
from tests.parallel.team_cases import WHOLE

ROOT = Path(__file__).resolve().parent.parent.parent
LIMIT_S = 60.0
END_S = 10.0  # after a failure, what is left must be gone by then
MARK = "PCLEANTASK_TEST_JOB"  # by this variable a job's processes are known, wherever they have gone
AS_ROOT = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
MPIS = ("mpich", "openmpi")
OPTIONS = {"mpich": [], "openmpi": ["--oversubscribe"]}

# What jobs image, and one process for comparison (the fixture `serial`).
SMALL_CUBE = {**CUBE, "niter": 60, "cycleniter": 20}
SMALL_MFS = {**MFS, "niter": 20, "cycleniter": 20}
LONG_CUBE = {**SMALL_CUBE, "niter": 100_000, "cycleniter": 2, "nmajor": 500}
# What is ended and goes on.
TWELVE_CYCLES = {**LONG_CUBE, "imagename": "img", "nmajor": 12}
GOES_ON = r"Going on with the run of .* after minor cycle (\d+): \d+ s are saved"
ENDED = r"Ended by SIGTERM after minor cycle (\d+); the same call goes on from there"
OTHER_FRAME = {**SMALL_CUBE, **WHOLE, "outframe": "BARY", "interpolation": "linear"}  # the lead grids it


@dataclass(frozen=True)
class Mpi:
    """An MPI: the package of that name on PyPI, and the environment it is in."""

    name: str
    prefix: Path

    @property
    def python(self) -> str:
        return str(self.prefix / "bin" / "python")

    def launch(self, nranks: int) -> list[str]:
        return [str(self.prefix / "bin" / "mpiexec"), *OPTIONS[self.name], "-n", str(nranks)]


def find_mpi(name: str, folder: Path) -> Mpi:
    """The environment that PCLEANTASK_TEST_MPICH or _OPENMPI names, or a new one; skips where no index can be asked."""
    given = os.environ.get(f"PCLEANTASK_TEST_{name.upper()}")
    if given:
        return Mpi(name, Path(given))
    prefix = folder / name
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(prefix)], check=True, timeout=LIMIT_S)
    site = next((prefix / "lib").glob("python*")) / "site-packages"
    (site / "tests.pth").write_text("\n".join([*(entry for entry in sys.path if entry), str(ROOT)]), encoding="utf-8")
    spec = importlib.util.find_spec("mpi4py")
    assert spec is not None and spec.origin is not None
    shutil.copytree(Path(spec.origin).parent, site / "mpi4py")
    install(name, "--prefix", str(prefix))
    return Mpi(name, prefix)


@dataclass(frozen=True)
class Result:
    """How a job ended."""

    status: int
    out: str
    err: str
    left: dict[int, str]  # processes that were there after its end

    @property
    def text(self) -> str:
        return f"status {self.status}\n--- out ---\n{self.out}\n--- err ---\n{self.err}\n--- left ---\n{self.left}"


def processes_with(variable: str, *words: str) -> dict[int, str]:
    """What runs with NAME=VALUE in its environment, and these words in its command line: pid -> command line."""
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if variable.encode() in (path / "environ").read_bytes().split(b"\0"):
                line = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
                if line and all(word in line for word in words):
                    found[int(path.name)] = line
    return found


class Job:
    """A job that runs; it is killed, whole, at the end of the block or when it exceeds its time."""

    def __init__(self, command: list[str], folder: Path, *, stdin: str = "", env: dict[str, str] | None = None) -> None:
        self.mark = uuid.uuid4().hex
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **AS_ROOT, "PYTHONUNBUFFERED": "1", **(env or {}), MARK: self.mark},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._texts: dict[str, list[str]] = {"out": [], "err": []}
        self._readers = [
            threading.Thread(target=self._read, args=(stream, name), daemon=True)
            for name, stream in (("out", self.process.stdout), ("err", self.process.stderr))
        ]
        for reader in self._readers:
            reader.start()
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(stdin)
            self.process.stdin.close()

    def _read(self, stream: Iterator[str], name: str) -> None:
        for line in stream:
            self._texts[name].append(line)

    def __enter__(self) -> Job:
        return self

    def __exit__(self, *_: object) -> None:
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.kill()
        self.process.wait()

    def processes(self, *words: str) -> dict[int, str]:
        """The job's processes whose command line has these words, mpiexec's own among them: pid -> command line."""
        return processes_with(f"{MARK}={self.mark}", *words)

    def rank(self, number: int, command: str) -> int:
        """The process of that rank which runs this command; not the lead, nor a worker."""
        for pid in self.processes(command):
            with contextlib.suppress(OSError):
                environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
                if {f"PMI_RANK={number}".encode(), f"OMPI_COMM_WORLD_RANK={number}".encode()} & set(environment):
                    return pid
        raise AssertionError(f"no rank {number} among {self.processes()}")

    def worker(self, number: int, command: str) -> int:
        """The worker of that rank."""
        hub = self.rank(number, command)
        for pid in self.processes("parallel.worker"):
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1] == str(hub):
                return pid
        raise AssertionError(f"rank {number} has no worker among {self.processes()}")

    def wait_for(self, text: str, limit_s: float = LIMIT_S) -> None:
        """Wait until the job has written a line with this text."""
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            if any(text in line for lines in self._texts.values() for line in list(lines)):
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise AssertionError(f"{text!r} did not come: {self._texts}")

    def result(self, limit_s: float = LIMIT_S) -> Result:
        """How it ended; that it doesn't end in time is a failure."""
        deadline = time.monotonic() + limit_s
        try:
            self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"a hang: no end after {limit_s} s\n{self._texts}\n{self.processes()}") from None
        while self.processes() and time.monotonic() < min(deadline, time.monotonic() + 1):
            time.sleep(0.05)
        left = self.processes()
        for reader in self._readers:
            reader.join(1.0)
        return Result(self.process.returncode, "".join(self._texts["out"]), "".join(self._texts["err"]), left)


def run(command: list[str], folder: Path, *, stdin: str = "", env: dict[str, str] | None = None) -> Result:
    """Run a job to its end."""
    with Job(command, folder, stdin=stdin, env=env) as job:
        return job.result()


def options(parameters: dict[str, Any]) -> list[str]:
    """Parameters as words of the command line."""
    return [word for name, value in parameters.items() for word in (f"--{name}", f"{value}")]


def image(mpi: Mpi, nranks: int, parameters: dict[str, Any]) -> list[str]:
    return [*mpi.launch(nranks), mpi.python, "-m", "pcleantask", "image", *options(parameters)]


def script_job(mpi: Mpi, nranks: int, folder: Path, text: str, *words: str, once: bool) -> list[str]:
    """The command that runs a script: once for all ranks, or on each of them."""
    (folder / "script.py").write_text(text, encoding="utf-8")
    return [*mpi.launch(nranks), mpi.python, *(["-m", "pcleantask", "run"] if once else []), "script.py", *words]


def images_of(folder: Path, name: str) -> dict[str, Path]:
    found = products(folder, name)
    found.pop(".json", None)
    return found


def plain(value: Any) -> Any:
    """A return dictionary as it is in JSON."""
    return json.loads(json.dumps(value, default=lambda entry: entry.tolist()))
