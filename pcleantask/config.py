"""PcleanConfig: the task's parameters, parsed once into frozen sections, with all rules that hold between them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import engines, inputs, rules
from .errors import ParameterError
from .outliers import ignored_names, read_outlier_file
from .parameters import defaults, definitions
from .sections import (
    SHARED_SECTIONS,
    Deconvolution,
    Gridding,
    ImageField,
    ImageFrame,
    Iteration,
    Masking,
    Run,
    Selection,
    Weighting,
)
from .traits import GRIDDERS

PATHS = ("mask", "startmodel", "vptable", "cfcache")  # in which CASA puts in ~ and $VARIABLES
FIELD_PATHS = ("mask", "startmodel", "phasecenter")  # what may be a path; a phase centre that of an ephemeris table


@dataclass(frozen=True)
class PcleanConfig:
    """All parameters of one run, valid and in canonical form.

    Made by `from_parameters` from the task's parameters, by `from_dict` from plain data, and changed only by
    `dataclasses.replace`.

    Attributes
    ----------
    fields : tuple of ImageField
        The main field, then the outliers.
    engine : str
        Who grids: the engine asked for (`run.engine`), or the one that engine='auto' takes.
    beyond_ducc : str
        What of the run engine='ducc' doesn't do, in the user's words; '' where it does all.
    emptied : tuple of Selection, or None
        Those of the selections that leave no row; None until `gridding.ducc.support` has looked at the data, which may
        change `engine` and `beyond_ducc` as well.
    """

    selections: tuple[Selection, ...]
    fields: tuple[ImageField, ...]
    frame: ImageFrame
    gridding: Gridding
    weighting: Weighting
    deconvolution: Deconvolution
    masking: Masking
    iteration: Iteration
    run: Run
    engine: str
    beyond_ducc: str
    emptied: tuple[Selection, ...] | None = None

    @classmethod
    def from_parameters(cls, **parameters: Any) -> PcleanConfig:
        """Parse and check the task's parameters; those not given take the task's defaults.

        Raises
        ------
        ParameterError
            A value or a combination can't be imaged with; one of its subclasses says what kind of fault it is.
        """
        rules.check_names(parameters, definitions())
        values = {name: definitions()[name].coerced(value) for name, value in {**defaults(), **parameters}.items()}
        rules.check_types(values)
        for name in PATHS:
            values[name] = _expanded(values[name])
        if values["specmode"] == "cont":
            values["specmode"] = "mfs"
        values["datacolumn"] = values["datacolumn"] or "corrected"  # as SynthesisImagerVi2::selectData reads ''
        rules.check_values(values)
        main = _main_field(values)
        outliers = _outliers(values["outlierfile"]) if values["outlierfile"] else []
        config = cls._of_sections(
            _selections(values),
            (main, *(_outlier_field(main, changes) for changes in outliers)),
            {name: _section(kind, values) for name, kind in SHARED_SECTIONS.items()},
        )
        rules.check_distinct(config.fields)
        for field in config.fields:
            rules.check_field(field, values)
        engines.check_engine(config.run.engine, config.beyond_ducc)
        return config

    @classmethod
    def _of_sections(
        cls, selections: tuple[Selection, ...], fields: tuple[ImageField, ...], sections: Mapping[str, Any]
    ) -> PcleanConfig:
        """The configuration with these sections, its engine chosen by them alone."""
        beyond_ducc = engines.beyond_ducc(fields, sections["frame"], sections["gridding"])
        engine = engines.chosen_engine(sections["run"].engine, beyond_ducc)
        return cls(selections, fields, **sections, engine=engine, beyond_ducc=beyond_ducc)

    def to_dict(self) -> dict[str, Any]:
        """The configuration as plain data (dicts, lists, strings, numbers), fit for JSON."""
        return _plain(dataclasses.asdict(self))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> PcleanConfig:
        """The configuration that `to_dict` described."""
        told = {"engine", "beyond_ducc", "emptied"} & set(data)
        unknown = set(data) - {"selections", "fields", *told, *SHARED_SECTIONS}
        if unknown:
            raise ParameterError(f"no section {sorted(unknown)} in a configuration; it has {list(SHARED_SECTIONS)}")
        config = cls._of_sections(
            _selected(data["selections"]),
            tuple(ImageField(**_frozen(entry)) for entry in data["fields"]),
            {
                name: kind(**_frozen(data[name])) if name in data else _section(kind, defaults())
                for name, kind in SHARED_SECTIONS.items()
            },
        )
        changes = {name: data[name] for name in told}
        if changes.get("emptied") is not None:
            changes["emptied"] = _selected(changes["emptied"])
        return dataclasses.replace(config, **changes)

    def with_absolute_paths(self) -> PcleanConfig:
        """The same for a process, or a tool, that works in another folder; but for image names."""
        selections, emptied = (
            tuple(dataclasses.replace(entry, vis=str(Path(entry.vis).absolute())) for entry in entries)
            for entries in (self.selections, self.emptied or ())
        )
        fields = tuple(
            dataclasses.replace(field, **{name: _absolute(getattr(field, name)) for name in FIELD_PATHS})
            for field in self.fields
        )
        cache = self.gridding.cfcache and str(Path(self.gridding.cfcache).absolute())  # needn't be there yet
        gridding = dataclasses.replace(self.gridding, vptable=_absolute(self.gridding.vptable), cfcache=cache)
        found = None if self.emptied is None else emptied
        return dataclasses.replace(self, selections=selections, emptied=found, fields=fields, gridding=gridding)

    @property
    def all_selections(self) -> tuple[Selection, ...]:
        """One for each MeasurementSet, those that leave no row last."""
        return (*self.selections, *(self.emptied or ()))

    @property
    def npol(self) -> int:
        """Number of planes on the Stokes axis."""
        return rules.stokes_planes(self.frame.stokes)

    def image_shape(self, field: ImageField) -> tuple[int, int, int, int | None]:
        """Shape (nx, ny, npol, nchan) of the field's images; nchan is None where the data will tell."""
        nchan = (field.nchan if field.nchan > 0 else None) if field.is_cube else 1
        return (*field.imsize, self.npol, nchan)

    @property
    def divides_in_python(self) -> bool:
        """True where the loop gathers and normalizes images itself; for cubes CASA's gridder does it."""
        return self.fields[0].specmode == "mfs"

    @property
    def grids_by_channel(self) -> bool:
        """Whether CASA grids a cube with the data near its channels alone (SynthesisImagerVi2::defineImage)."""
        main = self.fields[0]
        return main.is_cube and not main.multiterm and not GRIDDERS[main.gridder].projects_aperture

    @property
    def replaces_psf(self) -> bool:
        """Whether the PSF is made anew at `psfphasecenter`, which gives it coordinates of its own."""
        return self.gridding.psfphasecenter != "" and GRIDDERS[self.fields[0].gridder].joins_pointings

    @property
    def saves_model_late(self) -> bool:
        """True where the last major cycle can't be foreseen, so that the model is predicted after the loop."""
        auto = self.fields[0].usemask == "auto-multithresh"
        return self.run.savemodel != "none" and self.iteration.niter > 0 and (auto or self.iteration.nsigma > 0.0)


def _absolute(value: Any) -> Any:
    """A value that is the path of something, or several of them, absolute; any other as it is."""
    if isinstance(value, tuple):
        return tuple(map(_absolute, value))
    is_path = isinstance(value, str) and value and "[" not in value and Path(value).exists()
    return str(Path(value).absolute()) if is_path else value


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    return value


def _selected(entries: Sequence[Mapping[str, str]]) -> tuple[Selection, ...]:
    return tuple(Selection(**entry) for entry in entries)


def _freeze(value: Any) -> Any:
    return tuple(value) if isinstance(value, (list, tuple)) else value


def _frozen(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _freeze(value) for key, value in entry.items()}


def _section(kind: type, values: Mapping[str, Any]) -> Any:
    """The section made of the parameters that bear its fields' names."""
    section = kind(**{field.name: _freeze(values[field.name]) for field in dataclasses.fields(kind)})
    if kind is Weighting and values["specmode"] == "mfs":
        section = dataclasses.replace(section, perchanweightdensity=False)
    if kind is Run:
        section = dataclasses.replace(section, engine=engines.asked_engine(section.engine))
    if kind is Gridding and not GRIDDERS[values["gridder"]].weighs_fields:
        section = dataclasses.replace(section, mosweight=False)
    return section


def _pair(name: str, value: Any) -> tuple[Any, Any]:
    """Two entries out of one or two."""
    entries = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    if len(entries) not in (1, 2):
        raise ParameterError(f"{name} must have one entry or two, along x and y, got {value!r}")
    return entries[0], entries[-1]


def _cell(value: Any) -> Any:
    """A pixel size as a quantity: a bare number is one in arcsec, as in tclean."""
    return f"{value}arcsec" if isinstance(value, int | float) else value


def _main_field(values: Mapping[str, Any]) -> ImageField:
    entries = {field.name: _freeze(values[field.name]) for field in dataclasses.fields(ImageField)}
    entries["imagename"] = rules.image_name(values["imagename"])
    entries["imsize"] = tuple(int(size) for size in _pair("imsize", values["imsize"]))
    entries["cell"] = tuple(map(_cell, _pair("cell", values["cell"])))
    return ImageField(**entries)


def _expanded(value: Any) -> Any:
    """A path, or each of a list, with ~ and $VARIABLES put in."""
    if isinstance(value, list | tuple):
        return type(value)(map(_expanded, value))
    return inputs.expanded(value) if isinstance(value, str) else value


def _outliers(path: str) -> list[dict[str, Any]]:
    """What the fields of an outlier file change; their names and values obey the rules of a call's."""
    where = f"outlierfile {path!r}: "
    rules.check_names(ignored_names(path), definitions(), where)
    fields = read_outlier_file(path)
    for changes in fields:
        rules.check_types({name: definitions()[name].coerced(value) for name, value in changes.items()}, where)
        if changes.get("specmode") == "cont":
            changes["specmode"] = "mfs"
    return fields


def _outlier_field(main: ImageField, changes: Mapping[str, Any]) -> ImageField:
    entries = {name: _expanded(value) if name in PATHS else value for name, value in changes.items()}
    if "imagename" in entries:
        entries["imagename"] = rules.image_name(entries["imagename"])
    for name in ("imsize", "cell"):
        if name in entries:
            entries[name] = _pair(name, entries[name])
    if main.specmode == "mvc":
        entries["specmode"] = main.specmode  # as in tclean: all fields go by way of a cube, or none
    return dataclasses.replace(main, **entries)


def _selections(values: Mapping[str, Any]) -> tuple[Selection, ...]:
    """One Selection for each MeasurementSet; a list must have one entry, or one for each."""
    vis = [values["vis"]] if isinstance(values["vis"], str) else list(values["vis"])
    columns: dict[str, list[str]] = {}
    for field in dataclasses.fields(Selection):
        if field.name == "vis":
            continue
        value = values[field.name]
        entries = [str(entry) for entry in value] if isinstance(value, (list, tuple)) else [str(value)]
        if len(entries) not in (1, len(vis)):
            raise ParameterError(
                f"{field.name} has {len(entries)} entries for {len(vis)} MeasurementSets, got {value!r}; "
                f"give one for all, or one for each"
            )
        columns[field.name] = entries * len(vis) if len(entries) == 1 else entries
    return tuple(
        Selection(
            vis=str(Path(path)) if path.endswith("/") else path, **{name: column[i] for name, column in columns.items()}
        )
        for i, path in enumerate(vis)
    )
