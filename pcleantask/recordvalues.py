"""What of CASA's records others act on, for code that knows none of their keys (toolrecords.py makes the records)."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from .sections import Selection
from .traits import makes_terms

Record = dict[str, Any]

WITHOUT_DENSITY = ("natural", "radial")  # types of weighting
# Keys of a record of `toolrecords.to_casa_selpars` -> entries of a Selection.
SELECTION_KEYS = {
    "msname": "vis",
    "field": "field",
    "spw": "spw",
    "scan": "scan",
    "timestr": "timerange",
    "uvdist": "uvrange",
    "antenna": "antenna",
    "obs": "observation",
    "state": "intent",
}


@dataclass(frozen=True)
class DataSelection:
    """What is read of a MeasurementSet.

    Attributes
    ----------
    what : Selection
    datacolumn : str
        As the task takes it.
    taql : str
        An expression that picks some of the selected rows; '' all.
    """

    what: Selection
    datacolumn: str
    taql: str = ""

    @classmethod
    def of(cls, selpars: Record) -> DataSelection:
        """The selection of a record of `to_casa_selpars`."""
        what = Selection(**{name: str(selpars[key]) for key, name in SELECTION_KEYS.items() if key in selpars})
        return cls(what, str(selpars["datacolumn"]), str(selpars.get("taql", "")))

    @property
    def vis(self) -> str:
        return self.what.vis

    def of_rows(self, numbers: list[int]) -> DataSelection:
        """The rows with these numbers in the table, and all channels."""
        # TaQL counts the rows that the other parts of a selection leave, so that these are left out.
        return DataSelection(Selection(self.vis), self.datacolumn, f"ROWID() IN [{','.join(map(str, numbers))}]")

    def of_field(self, field: int) -> DataSelection:
        """The selection, of a field alone, whichever rows it picks."""
        return dataclasses.replace(self, what=dataclasses.replace(self.what, field=str(field)), taql="")

    def put_into(self, selpars: Record) -> Record:
        """A record with this selection in place of its own."""
        told = {key: getattr(self.what, name) for key, name in SELECTION_KEYS.items()}
        return {**selpars, **told, "datacolumn": self.datacolumn, "taql": self.taql}


@dataclass(frozen=True)
class CleanSettings:
    """What of a record of `to_casa_decpars` deconvolution in memory acts on.

    Attributes
    ----------
    algorithm : str
        The task's `deconvolver`.
    number : int
        The field's place among the fields.
    nsigma, pbmask : float
    fastnoise, fullsummary : bool
    restoringbeam : str or tuple of str
    nterms : int
        Taylor terms; 0 where the algorithm makes none.
    scales : tuple of float
        [pixel]
    smallscalebias : float
    is_masked : bool
        Whether the user or the primary beam gives the mask.
    has_start_model : bool
    """

    algorithm: str
    number: int
    nsigma: float
    pbmask: float
    fastnoise: bool
    fullsummary: bool
    restoringbeam: str | tuple[str, ...]
    nterms: int
    scales: tuple[float, ...]
    smallscalebias: float
    is_masked: bool
    has_start_model: bool

    @classmethod
    def of(cls, decpars: Record) -> CleanSettings:
        """The settings of a record, which needn't be whole."""
        mask, beam = decpars.get("mask", ""), decpars.get("restoringbeam", "")
        return cls(
            algorithm=str(decpars["deconvolver"]),
            number=int(decpars.get("id", 0)),
            nsigma=float(decpars.get("nsigma", 0.0)),
            pbmask=float(decpars.get("pbmask", 0.0)),
            fastnoise=bool(decpars.get("fastnoise", True)),
            fullsummary=bool(decpars.get("fullsummary", False)),
            restoringbeam=beam if isinstance(beam, str) else tuple(beam),
            nterms=int(decpars["nterms"]) if makes_terms(decpars["deconvolver"]) else 0,
            scales=tuple(map(float, decpars.get("scales", ()))),
            smallscalebias=float(decpars.get("scalebias", 0.0)),
            is_masked=decpars["usemask"] != "user" or (any(mask) if isinstance(mask, list) else bool(mask)),
            has_start_model=bool(decpars.get("startmodel")),
        )

    @property
    def has_common_beam(self) -> bool:
        """Whether all planes are restored with one beam that all PSFs' fit into."""
        return self.restoringbeam in ("common", ("common",))


@dataclass(frozen=True)
class Densities:
    """On which densities of visibilities the imaging weights of a run rest.

    Attributes
    ----------
    are_there : bool
        Weights depend on how many visibilities there are in a cell of the uv plane.
    by_field, by_channel : bool
        Each field of a mosaic, each channel of a cube has a density of its own.
    by_mean : bool
        Weights take the mean density of all visibilities, as Briggs' do.
    by_bandwidth : bool
        Weights take the fractional bandwidth of the whole cube.
    """

    are_there: bool
    by_field: bool
    by_channel: bool
    by_mean: bool
    by_bandwidth: bool

    @classmethod
    def of(cls, weightpars: Record) -> Densities:
        """The densities of a record of `to_casa_weightpars`."""
        are_there = weightpars["type"] not in WITHOUT_DENSITY
        by_field = are_there and bool(weightpars["multifield"])
        return cls(
            are_there=are_there,
            by_field=by_field,
            by_channel=are_there and bool(weightpars["usecubebriggs"]) and not by_field,
            by_mean=weightpars["rmode"] == "norm",
            by_bandwidth=weightpars["rmode"] == "bwtaper",
        )
