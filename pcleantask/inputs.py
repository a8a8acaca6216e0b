"""What parameters name on the disk besides data: masks, start models, tables of beams. And region text.

All of it is looked at without CASA, before any work.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from .errors import MissingInputError, ParameterError

RECORD = b"\xbe\xbe\xbe\xbe"  # how a file begins that CASA's regionmanager has written
CRTF = b"#CRTF"  # how a region file in text begins
VIRTUAL = "imageconcat.json"  # what is in the folder of an image that is several in a row
SHAPES = ("circle", "box", "centerbox", "rotbox", "poly", "annulus", "ellipse")
DEVICES = "/dev/"  # where a shell has what it hands to a command, as in @<(echo --niter 5)
A_MASK = "give an image, a region file, or a region such as 'circle[[50pix,50pix],10pix]'"
SHAPE = re.compile(r"\s*(?:-\s*)?([a-z]*)\s*(?=\[)", re.IGNORECASE)  # CASA reads +circle and ann as no region
QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
BARE_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)


def expanded(path: str) -> str:
    """The path with a leading ~ and $VARIABLES put in, as casacore's Path does; region text stays as it is."""
    return path if "[" in path else os.path.expandvars(os.path.expanduser(path))


def read_text(name: str, path: str) -> str:
    """The text of the file that the parameter `name` gives.

    Raises
    ------
    MissingInputError
        It can't be read, or is no file of text in UTF-8; what never ends, such as a pipe, isn't waited for.
    """
    place, way_out = Path(path), "give the path of a text file"
    is_pipe = place.exists() and not (place.is_file() or place.is_dir() or path.startswith(DEVICES))
    try:
        if is_pipe:
            raise MissingInputError(f"{name} {path!r} can't be read (it is no file); {way_out}")
        return place.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise MissingInputError(f"{name} {path!r} can't be read (no text in UTF-8: {error}); {way_out}") from error
    except MissingInputError:
        raise
    except OSError as error:
        raise MissingInputError(f"{name} {path!r} can't be read ({error.strerror}); {way_out}") from error


def is_image(path: str) -> bool:
    """Whether there is a CASA image at `path`."""
    info = Path(path) / "table.info"
    return info.is_file() and "Image" in info.read_text(encoding="utf-8", errors="replace")


def check_image(name: str, path: str) -> None:
    """Raise MissingInputError unless the path that the parameter `name` gives is that of an image."""
    if not Path(path).exists():
        raise MissingInputError(f"{name} {path!r} is not there; check the path (it is relative to {Path.cwd()})")
    if not is_image(path) and not (Path(path) / VIRTUAL).is_file():
        raise MissingInputError(f"{name} {path!r} is no CASA image; give one, such as importfits writes")


def check_table(name: str, path: str) -> None:
    """Raise MissingInputError unless the path that the parameter `name` gives is that of a CASA table."""
    if not Path(path).exists():
        raise MissingInputError(f"{name} {path!r} is not there; check the path (it is relative to {Path.cwd()})")
    if not (Path(path) / "table.dat").is_file():
        raise MissingInputError(f"{name} {path!r} is no CASA table; give one, such as vpmanager.saveastable writes")


def check_mask(mask: str) -> None:
    """Raise the error for an entry of `mask` that CASA reads as no mask, and cleans nothing without a word.

    Raises
    ------
    MissingInputError
        The path is not there, or what is there is neither an image nor a region file.
    ParameterError
        The region text is none.
    """
    path = Path(mask)
    if _exists(path):
        if path.is_dir():
            check_image("mask", mask)
        elif not path.is_file() or not _begins_as_regions(path):
            raise MissingInputError(
                f"mask {mask!r} is no region file: it begins neither with #CRTFv0 nor as those of CASA's regionmanager "
                f"do; {A_MASK}"
            )
    elif "[" in mask:
        _check_region(mask.strip())
    else:
        raise MissingInputError(f"mask {mask!r} is not there; {A_MASK}")


def _exists(path: Path) -> bool:
    """Whether the path is there; region text can be longer than the file system's names."""
    try:
        return path.exists()
    except OSError:
        return False


def _begins_as_regions(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(max(len(CRTF), len(RECORD))).startswith((CRTF, RECORD))


def _check_region(text: str) -> None:
    """Raise ParameterError for region text that CASA can't parse."""
    if "\n" in text:
        raise ParameterError(f"mask {text!r} is no region: it has several lines; give a list, or write a file of them")
    bare = QUOTED.sub("", text)
    if bare.count("[") != bare.count("]"):
        raise ParameterError(f"mask {text!r} is no region: its brackets don't match; {A_MASK}")
    shape = SHAPE.match(bare)
    if shape is None or shape[1].lower() not in SHAPES:
        raise ParameterError(
            f"mask {text!r} is no region: it must begin with one of {', '.join(SHAPES)} and a bracket; {A_MASK}"
        )
    for entry in re.split(r"[\[\],]", _bracketed(bare[shape.end() :])):
        if BARE_NUMBER.fullmatch(entry.strip()):
            raise ParameterError(f"mask {text!r} is no region: {entry.strip()} has no unit, such as pix; {A_MASK}")


def _bracketed(text: str) -> str:
    """The part of the text up to the bracket that closes its first."""
    depth = 0
    for place, letter in enumerate(text):
        depth += {"[": 1, "]": -1}.get(letter, 0)
        if depth == 0:
            return text[: place + 1]
    return text


def check_start_model(models: Sequence[str], nterms: int) -> None:
    """Raise the error for a start model that isn't there or is no image, or for more of them than there are terms."""
    if len(models) > nterms:
        raise ParameterError(
            f"startmodel has {len(models)} images for {nterms} Taylor term{'s' if nterms > 1 else ''}, got "
            f"{list(models)}; give one for each term, '' for one without"
        )
    for model in models:
        if model:
            check_image("startmodel", model)
