"""pclean in the CASA shell: `from pcleantask.shell import *` there, or in its startup.py.

The shell's functions inp, go, default, tget, tput and taskhelp work with any object that has the methods of its own
tasks; this is the one for pclean. All it knows of the parameters comes from the task definition.
"""

from __future__ import annotations

import contextlib
import inspect
import os
import shutil
import sys
import textwrap
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import casashell
from casashell.private.stack_manip import find_local

from . import casa, subparameters
from .errors import CasaSetupError
from .lastfile import read_last, write_last
from .parameters import Parameter, definitions
from .pclean import pclean as _task
from .private import task_call

__all__ = ["pclean"]

NAME = "pclean"
MARK = "__casashell_state__"  # a name in the shell's global variables, by which they are known
BOLD_ON_GREY, GREEN, BLUE, RED, PLAIN = "\x1b[1m\x1b[47m", "\x1b[92m", "\x1b[34m", "\x1b[91m", "\x1b[0m"
COLUMN = 49  # where the meaning of a parameter begins
NARROWEST = 20  # that it may be, however narrow the terminal


def _shell_variables() -> dict[str, Any]:
    """The global variables of the shell's user: those of the script that calls, where one does.

    Raises
    ------
    CasaSetupError
        No CASA shell is there.
    """
    frame: FrameType | None = inspect.currentframe()
    while frame is not None:
        own = Path(frame.f_code.co_filename).parent.parent == Path(casashell.__file__).parent
        if MARK in frame.f_globals and not own:
            return frame.f_globals
        frame = frame.f_back
    raise CasaSetupError("pcleantask.shell is for the CASA shell; elsewhere use: from pcleantask import pclean")


class _pclean:  # noqa: N801  the name that help() shows is the task's
    __doc__ = type(_task).__doc__

    _info_group_ = type(_task)._info_group_
    _info_desc_ = type(_task)._info_desc_

    __signature__ = inspect.Signature(
        [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=None) for name in definitions()]
    )

    def __call__(self, *arguments: Any, **named: Any) -> dict[str, Any]:
        """Image; where no parameter is given, with the global variables of their names."""
        task_call.check_unknown(named)
        bound = self.__signature__.bind(*arguments, **named).arguments
        given = {name: value for name, value in bound.items() if value is not None}
        parameters = _plain(subparameters.completed(given or self._given()))
        with _on_record(parameters):
            return _task(**parameters)

    def inp(self) -> None:
        """Show the parameters in use, with their values."""
        given = self._given()
        width = shutil.get_terminal_size(fallback=(80, 24)).columns
        lines = [f"# {NAME} -- {self._info_desc_}"]
        for parameter in subparameters.shown(given):
            lines += _lines(parameter, given, width)
        sys.stdout.write("\n".join([*lines, ""]))

    def set_global_defaults(self) -> None:
        """Remove the global variables of the parameters' names, so that the defaults hold."""
        self._become_last()
        variables = _shell_variables()
        for name in definitions():
            variables.pop(name, None)

    def tget(self, savefile: str | None = None) -> None:
        """Set the global variables to what a file holds: `savefile`, else pclean.last, else pclean.saved.

        Raises
        ------
        ParameterError
            The file holds other than assignments of plain values to parameters.
        """
        path = Path(savefile or (f"{NAME}.last" if Path(f"{NAME}.last").is_file() else f"{NAME}.saved"))
        if not path.is_file():
            sys.stdout.write(f"could not find {path}; the defaults are set instead\n")
            self.set_global_defaults()
            return
        saved = read_last(path.read_text(encoding="utf-8"), str(path))
        task_call.check_unknown(saved)
        _shell_variables().update(saved)
        self._become_last()

    def tput(self, outfile: str | None = None) -> bool:
        """Write what a call without arguments would take to `outfile`, else to pclean.last; True."""
        write_last(Path(outfile or f"{NAME}.last"), NAME, _plain(subparameters.completed(self._given())))
        return True

    def _given(self) -> dict[str, Any]:
        variables = _shell_variables()
        return {name: variables[name] for name in definitions() if name in variables}

    def _become_last(self) -> None:
        """Be the task that inp, go and default mean when none is named."""
        state = find_local("casa_inp_go_state")
        if state is not None:
            state["last"] = self


def _plain(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The values as plain Python: of numpy's numbers, a file could not be read back."""
    return {name: definitions()[name].coerced(value) for name, value in parameters.items()}


@contextlib.contextmanager
def _on_record(parameters: Mapping[str, Any]) -> Iterator[None]:
    """Keep a call's parameters in pclean.pre while it runs, in pclean.last after it; post to the log how it failed."""
    before, after = (Path(f"{NAME}.{suffix}").absolute() for suffix in ("pre", "last"))
    try:
        write_last(before, NAME, parameters)
    except OSError as error:
        casa.post(f"The parameters of this call can't be kept in {str(after)!r} ({error.strerror})", "WARN")
    try:
        yield
    except Exception as error:
        casa.post(f"Exception Reported: Error in {NAME}: {error}", "SEVERE")
        casa.post(traceback.format_exc())
        raise
    finally:
        with contextlib.suppress(OSError):  # that there is no file to rename has been told
            os.replace(before, after)


def _is_valid(parameter: Parameter, value: Any) -> bool:
    """Whether the task's type check lets the value pass."""
    from casatools.typecheck import CasaValidator

    return bool(CasaValidator().validate({parameter.name: value}, {parameter.name: _task._schema()[parameter.name]}))


def _lines(parameter: Parameter, given: Mapping[str, Any], width: int) -> list[str]:
    """What inp shows of a parameter, as for CASA's tasks: parents on grey, values that are no defaults in blue, wrong
    ones in red; its meaning in the space that is left of `width` columns.
    """
    value = subparameters.value(parameter, given)
    changed = value != subparameters.default(parameter, given)
    color = RED if not _is_valid(parameter, value) else BLUE if changed else ""
    shown = repr(value) if isinstance(value, str) else str(value)
    if subparameters.is_parent(parameter):
        name = f"{BOLD_ON_GREY}{parameter.name:<23} ={PLAIN}"
    elif parameter.conditions:
        name = f"   {GREEN}{parameter.name:<20} ={PLAIN}"
    else:
        name = f"{parameter.name:<23} ="
    first = f"{name} {color}{shown:<23}{PLAIN if color else ''}"
    remarks = [f" # {remark}" for remark in textwrap.wrap(parameter.short, max(width - COLUMN - 3, NARROWEST))]
    if len(shown) <= 23:
        first += remarks.pop(0)
    return [first, *(" " * COLUMN + remark for remark in remarks)]


pclean = _pclean()
_shell_variables()
casashell.extra_task_modules.append(sys.modules[__name__])
