"""The outlier file: further image fields, one block of `name=value` lines each, read without eval."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from .errors import ParameterError
from .inputs import read_text

SHOWN = 60  # letters of a value that a message tells
# What values raise that aren't one: literal_eval gives up on thousands of signs or brackets, and 1e999 is infinite.
UNREADABLE = (ValueError, SyntaxError, TypeError, OverflowError, MemoryError, RecursionError)


def _integer(text: str) -> int:
    return int(ast.literal_eval(text))


def _integers(text: str) -> tuple[int, ...]:
    value = ast.literal_eval(text)
    return tuple(int(entry) for entry in value) if isinstance(value, (list, tuple)) else (int(value),)


def _strings(text: str) -> tuple[str, ...]:
    """A list of bare or quoted words, such as [8.0arcsec, 8.0arcsec]."""
    return tuple(word.strip().strip("'\"") for word in text.strip().strip("[]()").split(","))


def _string(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text


PARSERS = {
    "imagename": _string,
    "imsize": _integers,
    "cell": _strings,
    "phasecenter": _string,
    "startmodel": _string,
    "specmode": _string,
    "reffreq": _string,
    "nchan": _integer,
    "start": _string,
    "width": _string,
    "nterms": _integer,
    "gridder": _string,
    "wprojplanes": _integer,
    "deconvolver": _string,
    "usemask": _string,
    "mask": _string,
}


def read_outlier_file(path: str) -> list[dict[str, Any]]:
    """The fields that an outlier file defines, each as the parameters in which it differs from the main field.

    A field begins with its `imagename`; empty lines, lines that begin with '#' and parameters in which fields can't
    differ (see `ignored_names`) are passed over.

    Raises
    ------
    MissingInputError
        There is no such file.
    ParameterError
        A line has no '=', or a value of the wrong form.
    """
    fields: list[dict[str, Any]] = []
    for where, name, text in _lines(path):
        if name == "imagename":
            fields.append({})
        if not fields:
            raise ParameterError(f"{where}: a field must begin with imagename=..., got {name + '=' + text!r}")
        if name in PARSERS:
            fields[-1][name] = _value(name, text, where)
    return fields


def ignored_names(path: str) -> list[str]:
    """The parameters in an outlier file in which fields can't differ, so that the main field's values hold."""
    return sorted({name for _, name, _ in _lines(path) if name not in PARSERS})


def _lines(path: str) -> Iterator[tuple[str, str, str]]:
    """Where it stands, name and text of each parameter in the file."""
    text = read_text("outlierfile", path)
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        where = f"{path}, line {number}"
        name, separator, value = line.partition("=")
        if not separator:
            raise ParameterError(f"{where}: expected name=value, got {line.strip()!r}")
        yield where, name.strip(), value.strip()


def _value(name: str, text: str, where: str) -> Any:
    try:
        return PARSERS[name](text)
    except UNREADABLE as error:
        shown = text if len(text) < SHOWN else f"{text[:SHOWN]}..."
        raise ParameterError(f"{where}: {shown!r} is no value for {name}") from error
