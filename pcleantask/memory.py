"""How much memory this process may take: what limits on it leave, of the process (ulimit -v) and of control groups.

CASA and ducc0 don't survive an allocation that fails: it ends the process by a signal, or leaves a thread waiting.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterator
from pathlib import Path

from .errors import MemoryLimitError

try:
    import resource
except ImportError:  # not a Unix
    resource = None  # type: ignore[assignment]

CASA_BYTES = 0.85e9  # addresses that a process with casatools loaded has taken, before it images
ROOM = 128 << 20  # for the stacks and heaps of threads, beside what images are reckoned to take [bytes]
GROUPS = Path("/sys/fs/cgroup")
OWN_GROUPS = Path("/proc/self/cgroup")
# Of a control group, in the kernel's second and first way: its limit, what its processes take, and which part of that
# is read from files and can be let go of.
FILES = (
    ("", ("memory.max", "memory.current", "inactive_file")),
    ("memory", ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")),
)
UNITS = ((1 << 30, "GB"), (1 << 20, "MB"))


def left_of_addresses() -> float:
    """Bytes that the limit on this process's address space leaves; infinite where there is none."""
    if not has_address_limit():
        return math.inf
    import psutil

    return max(0.0, _address_limit() - psutil.Process().memory_info().vms)


def has_address_limit() -> bool:
    """Whether there is a limit on this process's address space."""
    return _address_limit() < math.inf


def _address_limit() -> float:
    if resource is None:
        return math.inf
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return math.inf if limit == resource.RLIM_INFINITY else float(limit)


def left_of_groups(own: Path = OWN_GROUPS, root: Path = GROUPS) -> float:
    """Bytes that the control groups of this process leave to all of their processes; infinite where none has a limit.

    Parameters
    ----------
    own : Path
        The file in which the kernel lists the groups.
    root : Path
        Where the groups' folders are.
    """
    return min((_left_in(folder, names) for folder, names in _groups(own, root)), default=math.inf)


def _groups(own: Path, root: Path) -> Iterator[tuple[Path, tuple[str, str, str]]]:
    """Folders of this process's groups, and of those around them, with the names of their files."""
    try:
        lines = own.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, kinds, path = line.split(":", 2)
        for kind, names in FILES:
            if kind in kinds.split(","):
                base = root / kind
                inner = base / path.strip("/")
                yield from ((folder, names) for folder in (inner, *inner.parents) if folder.is_relative_to(base))


def _left_in(folder: Path, names: tuple[str, str, str]) -> float:
    limit, usage, reclaimable = names
    with contextlib.suppress(OSError, ValueError):
        most = int((folder / limit).read_text())  # 'max' where there is no limit
        taken = int((folder / usage).read_text())
        found = re.search(rf"^{reclaimable} (\d+)$", (folder / "memory.stat").read_text(), re.MULTILINE)
        return max(0.0, most - taken + (int(found[1]) if found else 0))
    return math.inf


def left_by_limits() -> float:
    """Bytes that all limits leave to this process; infinite where there are none."""
    return min(left_of_addresses(), left_of_groups())


def check_casa_fits() -> None:
    """Raise MemoryLimitError where the limit on the address space lets no casatools be loaded and work."""
    limit = _address_limit()
    if limit < CASA_BYTES:
        raise MemoryLimitError(
            f"the limit on this process's address space (ulimit -v) is {readable(limit)}, and CASA takes "
            f"{readable(CASA_BYTES)} before it images; raise the limit"
        )


def check_fits(needed: float) -> None:
    """Raise MemoryLimitError where limits are known to leave less than that.

    Parameters
    ----------
    needed : float
        What this process is still to take [bytes].
    """
    limits = {
        "the limit on its address space (ulimit -v)": left_of_addresses(),
        "the control group of its job or container": left_of_groups(),
    }
    limit, left = min(limits.items(), key=lambda entry: entry[1])
    if needed + ROOM > left:
        raise MemoryLimitError(
            f"a process of the run needs {readable(needed + ROOM)} of memory more, and {limit} leaves "
            f"{readable(left)}; raise the limit, make smaller images, or use fewer workers"
        )


def readable(size: float) -> str:
    """A number of bytes for people."""
    unit, name = next((entry for entry in UNITS if size >= entry[0]), UNITS[-1])
    return f"{size / unit:.1f} {name}"
