"""Of many processes that start at once one has the folder; the others are told so."""

from __future__ import annotations

import ctypes
import os
import socket
import time
from pathlib import Path

import pytest

from pcleantask.errors import OutputError
from pcleantask.runs.folder import WorkFolder
from pcleantask.runs.lock import Owner

STARTS = 200
NEW_UTS = 0x04000000  # CLONE_NEWUTS: a host name of its own
WON, REFUSED, FAILED = 10, 11, 12  # exit statuses


def start(number: int, begin: float, gate: int) -> int:
    """Try to have the folder at that time; whoever has it keeps it till the gate is closed. The exit status."""
    if number % 2 and os.geteuid() == 0:
        ctypes.CDLL(None).unshare(NEW_UTS)
        socket.sethostname("another-host")
    work = WorkFolder("img")
    time.sleep(max(0.0, begin - time.time()))
    try:
        work.take(Owner.this_process(str(number), "now"))
    except OutputError as error:
        return REFUSED if "is imaging under that name" in str(error) else FAILED
    os.read(gate, 1)
    return WON if work.is_owned() else FAILED


@pytest.mark.parametrize("former", ["none", "dead", "being removed"])
def test_one_of_many_simultaneous_starts_has_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, former: str
) -> None:
    monkeypatch.chdir(tmp_path)
    work, gate, begin = WorkFolder("img"), os.pipe(), time.time() + 1.0
    if former == "dead":
        child = os.fork()
        if child == 0:
            work.take(Owner.this_process("former", "then"))
            os._exit(0)
        os.waitpid(child, 0)
    if former == "being removed":
        work.take(Owner.this_process("former", "then"))
    children = []
    for number in range(STARTS):
        children.append(os.fork())
        if children[-1] == 0:
            os.close(gate[1])
            os._exit(start(number, begin, gate[0]))
    if former == "being removed":
        time.sleep(max(0.0, begin - time.time()) + 0.05)
        work.remove()
    statuses = [os.waitstatus_to_exitcode(os.wait()[1]) for _ in children[1:]]
    os.close(gate[1])
    statuses.append(os.waitstatus_to_exitcode(os.wait()[1]))
    os.close(gate[0])
    assert FAILED not in statuses
    assert statuses.count(WON) == 1 or (former == "being removed" and WON not in statuses)
