"""The history of products: which task made them, with which parameters and versions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import casa
from ..version import __version__
from .planes import is_image
from .products import products

TASK = "pclean"


def history_lines(parameters: Mapping[str, Any]) -> list[str]:
    """The lines that casatasks' tasks write (write_task_history in cleanhelper.py), and the package's version."""
    lines = [
        f"taskname={TASK}",
        f"version: pcleantask {__version__}, CASA {casa.load().version_string()}",
    ]
    for name, value in parameters.items():
        text = f'"{value}"' if isinstance(value, str) else str(value)
        lines.append(f"{name:<11} = {text}")
    return lines


def write_history(imagename: str, parameters: Mapping[str, Any]) -> None:
    """Append the parameters to the history of every product of `imagename`.

    A history that can't be written is told in the log, and is no failure of the run, as in tclean.
    """
    lines = history_lines(parameters)
    for path, _ in products(imagename):
        if is_image(str(path)):
            try:
                with casa.opened_image(str(path)) as image:
                    image.sethistory(origin=TASK, history=lines)
            except RuntimeError as error:
                casa.post(f"The history of {path.name} can't be written: {casa.first_line(error)}", "WARN")
