"""The outlier file: further image fields, one block of `name=value` lines each, read without eval."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from .errors import MissingInputError, ParameterError


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

    A field begins with its `imagename`; empty lines and lines that begin with '#' are passed over.

    Raises
    ------
    MissingInputError
        There is no such file.
    ParameterError
        A line has no '=', names a parameter that fields can't differ in, or has a value of the wrong form.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise MissingInputError(
            f"outlierfile {path!r} can't be read ({error.strerror}); give the path of a text file"
        ) from error
    fields: list[dict[str, Any]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, value = _parse_line(line, f"{path}, line {number}")
        if name == "imagename":
            fields.append({})
        if not fields:
            raise ParameterError(f"{path}, line {number}: a field must begin with imagename=..., got {line.strip()!r}")
        fields[-1][name] = value
    return fields


def _parse_line(line: str, where: str) -> tuple[str, Any]:
    name, separator, text = line.partition("=")
    name, text = name.strip(), text.strip()
    if not separator:
        raise ParameterError(f"{where}: expected name=value, got {line.strip()!r}")
    if name not in PARSERS:
        raise ParameterError(f"{where}: fields can't differ in {name!r}; they can in {', '.join(PARSERS)}")
    try:
        return name, PARSERS[name](text)
    except (ValueError, SyntaxError, TypeError) as error:
        raise ParameterError(f"{where}: {text!r} is no value for {name}") from error
