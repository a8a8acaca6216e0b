"""The rules that parameters must obey, checked before any work. Each failure gives the value and the way out."""

from __future__ import annotations

import difflib
import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import Any

from . import inputs
from .errors import MissingInputError, OutputError, ParameterError, ParameterTypeError, UnknownParameterError
from .parameters import Parameter, definitions
from .sections import ImageField
from .traits import GRIDDERS, makes_terms

ANGLE = re.compile(
    r"^\s*[+]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*(deg|rad|mrad|arcmin|arcsec|[mun]?as|marcsec|uarcsec|'|\"|'')\s*$"
)
WAVELENGTHS = re.compile(r"^\s*[+]?(?=[\d.]*[1-9])(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*[kMG]?lambda\s*$")
FLUX_DENSITY = re.compile(r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*([munk]?Jy(/beam)?)?\s*$")
MS_TYPE = "Measurement Set"
CHANNEL = re.compile(
    r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*([kMGTPm]?Hz|[kcm]?m(/s|/h|\.s-1)|)\s*$"
)  # a number of a channel, a frequency, a velocity
DATA_COLUMNS = ("data", "corrected", "observed")
LARGEST_INT = 2**31 - 1  # CASA's int has 32 bits, and cuts what is longer


def check_names(parameters: Iterable[str], known: Iterable[str], where: str = "") -> None:
    """Raise UnknownParameterError, with the nearest name, for the first parameter that does not exist.

    `where` is what the message begins with: the file that the names are in, where it is one.
    """
    names = list(known)
    for name in parameters:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else "; `pclean image --help` lists them all"
            raise UnknownParameterError(f"{where}pclean has no parameter {name!r}{hint}")


def check_types(values: Mapping[str, Any], where: str = "") -> None:
    """Raise the error for the first value, coerced, that is of no type, choice or range of its parameter.

    `where` is what the message begins with, as in `check_names`.
    """
    for name, value in values.items():
        parameter = definitions()[name]
        if not parameter.admits(value):
            raise wrong_value(parameter, value, where)
        entries = value if isinstance(value, list) else [value]
        if any(isinstance(entry, float) and math.isnan(entry) for entry in entries):
            raise ParameterError(f"{where}{name} must be {parameter.accepts()}, got {value!r}, which is no number")
        is_int = {"int", "intVec"} & set(parameter.types) and not {"double", "doubleVec"} & set(parameter.types)
        if is_int and any(isinstance(entry, int) and abs(entry) > LARGEST_INT for entry in entries):
            raise ParameterError(f"{where}{name} must not be beyond {LARGEST_INT} (CASA's integers), got {value!r}")


def wrong_value(parameter: Parameter, value: Any, where: str = "") -> ParameterError:
    """The error that says what is wrong with a value that the parameter doesn't admit."""
    message = f"{where}{parameter.name} must be {parameter.accepts()}, got {value!r}"
    if parameter.choices and isinstance(value, str):
        near = difflib.get_close_matches(value, parameter.choices, n=1)
        return ParameterError(f"{message}; did you mean {near[0]!r}?" if near else message)
    if parameter.range and isinstance(value, Real):
        return ParameterError(message)
    return ParameterTypeError(message)


def check_values(values: Mapping[str, Any]) -> None:
    """Check what doesn't depend on the field: run control, weighting, input and what isn't supported."""
    _check_unsupported(values)
    _check_iteration(values)
    _check_weighting(values)
    _check_mvc(values)
    _check_input([values["vis"]] if isinstance(values["vis"], str) else values["vis"])
    _check_gridding(values)
    if values["savemodel"] != "none":
        for path in [values["vis"]] if isinstance(values["vis"], str) else values["vis"]:
            check_model_can_be_saved(path, values["savemodel"])
    if values["facets"] < 1:
        raise ParameterError(f"facets must be at least 1, got {values['facets']}")
    if any(scale < 0 for scale in values["scales"]):
        raise ParameterError(
            f"scales must not be negative, got {list(values['scales'])}; they are sizes in pixels, as [0, 6, 18]"
        )
    _check_restoring_beam(values["restoringbeam"])


def _check_input(paths: Sequence[str]) -> None:
    if not any(paths):
        raise ParameterError("vis is empty; give the path of a MeasurementSet, or a list of them")
    for path in paths:
        check_measurement_set(path)
    for number, path in enumerate(paths):
        for other in paths[:number]:
            if os.path.samefile(path, other):
                also = "" if Path(path) == Path(other) else f", also as {path!r}"
                raise ParameterError(f"vis has {other!r} more than once{also}; give each MeasurementSet once")


def _check_gridding(values: Mapping[str, Any]) -> None:
    column = values["datacolumn"]
    if column not in DATA_COLUMNS:
        near = difflib.get_close_matches(column, DATA_COLUMNS, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ParameterError(f"datacolumn must be 'corrected', 'data' or 'observed', got {column!r}{hint}")
    for name in ("psfcutoff", "pblimit"):
        if values[name] >= 1:
            usual = definitions()[name].default
            raise ParameterError(f"{name} must be below 1, got {values[name]}; it is a part of the peak, as {usual}")
    if values["psfcutoff"] < 0:
        raise ParameterError(f"psfcutoff must not be negative, got {values['psfcutoff']}")
    if values["npixels"] < 0:
        raise ParameterError(f"npixels must not be negative, got {values['npixels']}")
    if values["vptable"]:
        inputs.check_table("vptable", values["vptable"])


def check_model_can_be_saved(vis: str, savemodel: str) -> None:
    """Raise OutputError unless the MeasurementSet can be written to."""
    if not all(os.access(path, os.W_OK) for path in (vis, Path(vis, "table.dat"))):
        raise OutputError(
            f"savemodel={savemodel!r} writes to vis {vis!r}, which can't be written; change its permissions, image a "
            f"copy, or use savemodel='none'"
        )


def _check_restoring_beam(beam: str | list[str]) -> None:
    entries = [beam] if isinstance(beam, str) else beam
    if entries in ([], [""], ["common"]):
        return
    angles = [*entries[:2], *(angle.strip().removeprefix("-") for angle in entries[2:])]  # only a PA may be negative
    if len(angles) > 3 or not all(map(ANGLE.match, angles)):
        raise ParameterError(
            f"restoringbeam {beam!r} is no beam; give '', 'common', '1.5arcsec' or ['2arcsec', '1arcsec', '30deg']"
        )
    if any(map(_is_no_length, entries[:2])):
        raise ParameterError(f"restoringbeam {beam!r} must have axes above zero; give such as '1.5arcsec'")


def check_field(field: ImageField, values: Mapping[str, Any]) -> None:
    """Check one image field, and that its products can be written."""
    if not field.imagename:
        raise ParameterError("imagename is empty; give the name that the products shall begin with")
    if min(field.imsize) < 1:
        raise ParameterError(f"imsize must be positive, got {list(field.imsize)}; give pixels, as [512, 512]")
    for cell in field.cell:
        if isinstance(cell, str) and _is_no_length(cell):
            raise ParameterError(f"cell {cell!r} must be above zero; give the size of a pixel, such as '0.1arcsec'")
        if not isinstance(cell, str) or not ANGLE.match(cell):
            raise ParameterError(f"cell {cell!r} has no unit of angle; give a quantity such as '0.1arcsec'")
    if values["facets"] > min(field.imsize):
        raise ParameterError(
            f"facets must not be beyond the pixels of an axis, got facets={values['facets']} for "
            f"imsize={list(field.imsize)}; 1 is no facets"
        )
    if field.is_cube:
        for name in ("start", "width"):
            _check_channel(name, getattr(field, name))
    if field.nchan == 0 or field.nchan < -1:
        raise ParameterError(f"nchan must be positive or -1, got {field.nchan}")
    if field.multiterm and field.nterms < 1:
        raise ParameterError(f"nterms must be at least 1, got {field.nterms}")
    if field.multiterm and field.is_cube:
        raise ParameterError(
            f"deconvolver='mtmfs' can't be used with specmode={field.specmode!r}; "
            f"use specmode='mfs', or another deconvolver such as 'multiscale'"
        )
    if values["specmode"] == "mvc":
        _check_mvc_field(field)
    check_masks(field)
    models = _names("startmodel", field.startmodel)
    terms = [
        field.nterms if field.multiterm else 1,
        values["nterms"] if makes_terms(values["deconvolver"]) else 1,
    ]
    inputs.check_start_model(models, max(terms))  # an outlier of fewer terms has the main field's start models
    check_output(field.imagename)
    check_outside_tables(field.imagename)


def check_distinct(fields: Sequence[ImageField]) -> None:
    """Raise ParameterError where two fields would write the same images."""
    names = [os.path.abspath(field.imagename) for field in fields]
    for field, name in zip(fields, names, strict=True):
        if names.count(name) > 1:
            raise ParameterError(
                f"outlierfile: imagename {field.imagename!r} is that of {names.count(name)} fields (the main field is "
                f"one); give each a name of its own"
            )


def _is_no_length(cell: str) -> bool:
    """Whether it is an angle, but not above zero."""
    match = ANGLE.match(cell.strip().removeprefix("-"))
    return match is not None and (cell.strip().startswith("-") or float(match[1] + (match[2] or "")) == 0)


def _check_channel(name: str, value: Any) -> None:
    """Check the text of a cube's start or width; numbers and records are left to CASA."""
    if isinstance(value, str) and value and not CHANNEL.match(value):
        raise ParameterError(
            f"{name} {value!r} is no channel, frequency or velocity; give such as 5, '230.5GHz' or '-10km/s'"
        )


def _check_mvc_field(field: ImageField) -> None:
    """Check what Taylor terms by way of a cube can be made of."""
    if not field.multiterm or field.nterms < 2:
        raise ParameterError(
            f"specmode='mvc' needs deconvolver='mtmfs' and two terms or more, got deconvolver={field.deconvolver!r} "
            f"and nterms={field.nterms}"
        )
    if field.startmodel not in ("", ()):
        raise ParameterError(
            f"specmode='mvc' can't begin with a startmodel, got {field.startmodel!r}: CASA wants the PSF to be there "
            f"before it; use specmode='mfs'"
        )


def _check_unsupported(values: Mapping[str, Any]) -> None:
    if values["interactive"]:
        raise ParameterError(
            f"interactive={values['interactive']!r} isn't supported: pclean has no viewer. Use mask= (image, region "
            f"file or region text), usemask='pb' or usemask='auto-multithresh'; to draw between cycles, run with "
            f"nmajor=1, edit <imagename>.mask, and call again with calcres=False and calcpsf=False"
        )
    if not GRIDDERS[values["gridder"]].is_released:
        raise ParameterError(
            f"gridder={values['gridder']!r} is not in the released casatools; use 'awproject', 'awp2' or 'mosaic'"
        )


def _check_iteration(values: Mapping[str, Any]) -> None:
    for name in ("niter", "nsigma", "cyclefactor", "minpsffraction", "maxpsffraction"):
        if values[name] < 0:
            raise ParameterError(f"{name} must not be negative, got {values[name]}")
    if values["gain"] <= 0:
        raise ParameterError(f"gain must be positive, got {values['gain']}; 0.1 is usual")
    threshold = values["threshold"]
    if isinstance(threshold, Mapping):
        threshold = f"{threshold.get('value')}{threshold.get('unit')}"
    if threshold != "" and not isinstance(threshold, int | float) and not FLUX_DENSITY.match(str(threshold)):
        raise ParameterError(
            f"threshold {values['threshold']!r} is no flux density; give a number in Jy, or a quantity such as '0.5mJy'"
        )
    if values["nmajor"] < -1:
        raise ParameterError(f"nmajor must be -1 (no limit), 0 or positive, got {values['nmajor']}")


def _check_taper(taper: str | Sequence[str]) -> None:
    entries = [taper] if isinstance(taper, str) else list(taper)
    if not any(entry.strip() for entry in entries):
        return
    angles = [entry.strip().removeprefix("-") for entry in entries[2:]]
    kinds = [{kind for kind in (ANGLE, WAVELENGTHS) if kind.match(entry)} for entry in entries[:2]]
    is_one_kind = bool(set.intersection(*kinds))
    if len(entries) > 3 or not is_one_kind or not all(map(ANGLE.match, angles)):
        raise ParameterError(
            f"uvtaper {taper!r} is no taper; give half widths in the uv plane in lambda, klambda or Mlambda, or full "
            f"widths on the sky in mas, arcsec, arcmin, deg or rad: ['50klambda'] or ['2arcsec', '1arcsec', '45deg']"
        )


def _check_weighting(values: Mapping[str, Any]) -> None:
    _check_taper(values["uvtaper"])
    if values["weighting"] != "briggsbwtaper":
        return
    if values["specmode"] == "mfs":
        raise ParameterError("weighting='briggsbwtaper' is for cubes, got specmode='mfs'; use weighting='briggs'")
    if values["npixels"] != 0:
        raise ParameterError(f"weighting='briggsbwtaper' needs npixels=0, got {values['npixels']}")


def _check_mvc(values: Mapping[str, Any]) -> None:
    """Check what Taylor terms by way of a cube are gridded with: beams of each channel, which are one plane."""
    if values["specmode"] != "mvc":
        return
    gridder, conjbeams, wbawp = (values[name] for name in ("gridder", "conjbeams", "wbawp"))
    if GRIDDERS[gridder].has_conjugate_beams and conjbeams:
        raise ParameterError(f"specmode='mvc' with gridder={gridder!r} needs each channel's beam; set conjbeams=False")
    if GRIDDERS[gridder].corrects_frequency and not wbawp:
        raise ParameterError(f"specmode='mvc' with gridder={gridder!r} needs each channel's beam; set wbawp=True")
    if stokes_planes(values["stokes"]) > 1:
        raise ParameterError(
            f"specmode='mvc' is for one Stokes parameter a run, got stokes={values['stokes']!r}; "
            f"run once for each, or use specmode='mfs'"
        )
    if values["facets"] > 1:
        raise ParameterError(f"specmode='mvc' can't be imaged in facets, got facets={values['facets']}; use 1")
    if values["psfphasecenter"] != "" and GRIDDERS[gridder].joins_pointings:
        raise ParameterError(
            f"specmode='mvc' can't make the PSF anew at psfphasecenter={values['psfphasecenter']!r}; leave it empty"
        )


def stokes_planes(stokes: str) -> int:
    """How many planes an image of these Stokes parameters or correlations has."""
    if stokes == "pseudoI":
        return 1
    return len(stokes) if set(stokes) <= set("IQUV") else len(stokes) // 2


def image_name(value: Any) -> str:
    """The canonical image name: tclean's XML admits an int, and a list with one entry."""
    if isinstance(value, (list, tuple)):
        if len(value) != 1:
            raise ParameterError(f"imagename must be one name, got {value!r}; outlier fields go into outlierfile")
        value = value[0]
    name = str(value)
    if name.endswith("/"):
        raise ParameterError(f"imagename {name!r} is a folder; add the name that the products shall begin with")
    if Path(name).name == ".." or name.rpartition("/")[2] == ".":
        raise ParameterError(f"imagename {name!r} is a folder; add the name that the products shall begin with")
    return inputs.expanded(name)


def check_outside_tables(imagename: str) -> None:
    """Raise ParameterError where the products would stand inside a MeasurementSet, or another table."""
    for folder in Path(imagename).absolute().parents:
        if (folder / "table.dat").exists():
            raise ParameterError(
                f"imagename {imagename!r} stands inside {str(folder)!r}, which is a table of CASA's; choose a place "
                f"outside of it"
            )


def check_measurement_set(path: str) -> None:
    """Raise MissingInputError unless `path` is a MeasurementSet."""
    folder = Path(path)
    if not folder.exists():
        raise MissingInputError(f"vis {path!r} is not there; check the path (it is relative to {Path.cwd()})")
    try:
        kind = (folder / "table.info").read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise MissingInputError(
            f"vis {path!r} is not a MeasurementSet: it has no table.info; import it first (importuvfits, importasdm)"
        ) from error
    if MS_TYPE not in kind or not (folder / "table.dat").is_file():
        raise MissingInputError(
            f"vis {path!r} is a table, but not a MeasurementSet; give the folder that importasdm or split wrote"
        )


def _names(name: str, value: Any) -> list[str]:
    """A value that is a path, or several of them, as a list."""
    found = [value] if isinstance(value, str) else value
    if not isinstance(found, list | tuple) or not all(isinstance(entry, str) for entry in found):
        raise ParameterTypeError(f"{name} must be the path of an image, or a list of them, got {value!r}")
    return list(found)


def check_masks(field: ImageField) -> None:
    """Raise the error for a mask that CASA can't read; see `inputs.check_mask`."""
    if field.usemask != "user":
        return
    for mask in [field.mask] if isinstance(field.mask, str) else field.mask:
        if mask:
            inputs.check_mask(mask)


def check_output(imagename: str) -> None:
    """Raise OutputError unless the products' folder can be written, or made."""
    folder = Path(imagename).absolute().parent
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(
            f"imagename {imagename!r}: {str(folder)!r} is no folder that can be written; choose another place"
        )
