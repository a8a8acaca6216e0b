"""Files such as pclean.last, in which CASA's shell keeps the parameters of a task's call.

A line `name = value` for each parameter, and at the end the whole call as a comment. Standard library only.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .errors import ParameterError

SHELL_ONLY = {"taskname"}  # names in such a file that are no parameters
NAME_WIDTH = 20  # tclean's


def read_last(text: str, where: str) -> dict[str, Any]:
    """The parameters in the text of such a file.

    Parameters
    ----------
    text : str
    where : str
        What to call the file in an error.

    Raises
    ------
    ParameterError
        A line is no assignment of a plain Python value; the message gives its number.
    """
    parameters = {}
    for number, line in enumerate(text.splitlines(), start=1):
        name, _, value = (part.strip() for part in line.partition("="))
        if not line.strip() or line.lstrip().startswith("#") or name in SHELL_ONLY:
            continue
        try:
            parameters[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError) as error:
            raise ParameterError(f"{where}, line {number}: expected name = value, got {line.strip()!r}") from error
    return parameters


def write_last(path: Path, task: str, parameters: Mapping[str, Any]) -> None:
    """Write the parameters of a call of `task`, plain Python values, as casashell writes them for its tasks."""
    values = {name: repr(value) for name, value in parameters.items()}
    lines = [f"{name:<{NAME_WIDTH}} = {value}" for name, value in values.items()]
    call = ",".join(f"{name}={value}" for name, value in values.items())
    path.write_text("\n".join([*lines, f"#{task}( {call} )", ""]), encoding="utf-8")
