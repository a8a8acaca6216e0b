"""A task in a process of its own, with its log: what a call returns, raises, and warns of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.agreement.runner import Call, TaskProcess

LIMIT_S = 120.0


class Oracle:
    """tclean or pclean in a process of its own, with its log."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._folder, self._process, self._read = folder, TaskProcess(folder), 0
        self._process.run([Call("version_string", {})], folder)  # CASA's log is where the first call finds itself
        self.lines: list[str] = []  # of the log, of the last call

    def call(self, task: str, folder: Path, parameters: dict[str, Any]) -> tuple[Any, str, list[str]]:
        """Value, error, and the warnings that the call has put into the log."""
        (outcome,) = self._process.run([Call(task, parameters)], folder, LIMIT_S)
        lines = "".join(path.read_text(encoding="utf-8") for path in self._folder.glob("casa-*.log")).splitlines()
        self.lines, self._read = lines[self._read :], len(lines)
        return outcome.value, outcome.error, [line for line in self.lines if line.split("\t")[1:2] == ["WARN"]]

    def close(self) -> None:
        self._process.close()
