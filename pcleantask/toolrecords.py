"""PcleanConfig -> the records of casatools' synthesis tools: the only file that knows their keys ('timestr', ...).

The keys and their grouping are those that casatasks' `imagerhelpers/input_parameters.py` (6.7.0) hands to the tools.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from . import casa, measurementsets
from .config import PcleanConfig
from .errors import ParameterError
from .sections import ImageField
from .traits import GRIDDERS, makes_terms

Record = dict[str, Any]

# Values that tclean hands to the tools and no parameter of the task sets.
SINGLE_DISH_GRIDDING: Record = {
    "pointingcolumntouse": "direction",
    "convertfirst": "never",
    "convfunc": "SF",
    "convsupport": -1,
    "truncate": "-1",
    "gwidth": "-1",
    "jwidth": "-1",
    "minweight": 0.0,
    "clipminmax": False,
}
NEWER_NORMALIZERS: Record = {"makesingledishnormalizer": False}  # of casatools 6.7.5; older ones leave it alone
WEIGHTING_TYPES = {  # task's name -> (tool's type, rmode)
    "briggs": ("briggs", "norm"),
    "briggsabs": ("briggs", "abs"),
    "briggsbwtaper": ("briggs", "bwtaper"),
}
SELECTION_FRAMES = {"cubedata": "Undefined", "cubesource": "REST"}

WITHOUT_DENSITY = ("natural", "radial")  # types of weighting


@dataclass(frozen=True)
class ToolRecords:
    """The records of one run; those that differ between fields are tuples with one record a field.

    `selpars` has one record for each MeasurementSet, in order of time, as CASA wants them.
    """

    selpars: tuple[Record, ...]
    impars: tuple[Record, ...]
    gridpars: tuple[Record, ...]
    normpars: tuple[Record, ...]
    decpars: tuple[Record, ...]
    weightpars: Record
    iterpars: Record
    miscpars: Record

    @property
    def densities(self) -> Densities:
        """On which densities the imaging weights rest."""
        return Densities.of(self.weightpars)

    @property
    def imagenames(self) -> tuple[str, ...]:
        """Each field's image name."""
        return tuple(str(record["imagename"]) for record in self.impars)


def tool_records(config: PcleanConfig, imagenames: tuple[str, ...] | None = None) -> ToolRecords:
    """The records for `config`, with the products at `imagenames` (default: where the config says)."""
    names = imagenames or tuple(field.imagename for field in config.fields)
    fields = list(zip(config.fields, names, strict=True))
    return ToolRecords(
        selpars=to_casa_selpars(config),
        impars=tuple(to_casa_impars(config, field, name) for field, name in fields),
        gridpars=tuple(to_casa_gridpars(config, field, name) for field, name in fields),
        normpars=tuple(to_casa_normpars(config, field, name) for field, name in fields),
        decpars=tuple(to_casa_decpars(config, field, name, number) for number, (field, name) in enumerate(fields)),
        weightpars=to_casa_weightpars(config),
        iterpars=to_casa_iterpars(config, names),
        miscpars=to_casa_miscpars(config),
    )


def checked_record(name: str, record: Record | None, key: str) -> Record:
    """The record, or a ParameterError where it can't be one of `to_casa_<name>`, as it has no such key."""
    if not isinstance(record, dict) or key not in record:
        found = f"a record without {key!r}" if isinstance(record, dict) else repr(record)
        raise ParameterError(f"{name} must be a record of toolrecords.to_casa_{name}, got {found}")
    return record


def _plain(value: Any) -> Any:
    """casatools takes lists, not tuples."""
    return list(value) if isinstance(value, tuple) else value


def to_casa_selpars(config: PcleanConfig, *, late_model: bool = False) -> tuple[Record, ...]:
    """For `synthesisimager.selectdata`; with `late_model`, opened so that the final model can be saved."""
    records = []
    for selection in measurementsets.in_time_order(config.selections):
        record = {
            "msname": selection.vis,
            "field": selection.field,
            "spw": selection.spw,
            "scan": selection.scan,
            "timestr": selection.timerange,
            "uvdist": selection.uvrange,
            "antenna": selection.antenna,
            "obs": selection.observation,
            "state": selection.intent,
            "datacolumn": config.run.datacolumn,
            "savemodel": config.run.savemodel,
        }
        with casa.tool("synthesisutils") as utilities:
            record = utilities.checkselectionparams(record)
        if config.saves_model_late:
            record["readonly"] = not late_model
            record["usescratch"] = late_model and config.run.savemodel == "modelcolumn"
        if config.fields[0].specmode in SELECTION_FRAMES:
            record["outframe"] = SELECTION_FRAMES[config.fields[0].specmode]
        records.append(record)
    return tuple(records)


def to_casa_impars(config: PcleanConfig, field: ImageField, imagename: str) -> Record:
    """For `synthesisimager.defineimage`: the image's geometry and spectral axis."""
    return {
        "imagename": imagename,
        "nchan": field.nchan,
        "imsize": list(field.imsize),
        "cell": list(field.cell),
        "phasecenter": field.phasecenter,
        "stokes": config.frame.stokes,
        "specmode": field.specmode,
        "start": field.start,
        "width": field.width,
        "veltype": config.frame.veltype,
        "nterms": field.nterms,
        "restfreq": _plain(config.frame.restfreq),
        "outframe": config.frame.outframe,
        "reffreq": field.reffreq,
        "sysvel": "",
        "sysvelframe": "",
        "projection": config.frame.projection,
        "restart": config.run.restart,
        "startmodel": _plain(field.startmodel),
        "deconvolver": config.fields[0].deconvolver,  # as in tclean, an outlier's own acts in the other records only
    }


def to_casa_gridpars(config: PcleanConfig, field: ImageField, imagename: str) -> Record:
    """For `synthesisimager.defineimage`: the gridder. As in tclean, only the main field has a default cfcache."""
    gridding = config.gridding
    cfcache = gridding.cfcache
    if field is config.fields[0] and GRIDDERS[field.gridder].keeps_cache and not cfcache:
        cfcache = imagename + ".cf"
    return {
        "gridder": field.gridder,
        "aterm": gridding.aterm,
        "psterm": gridding.psterm,
        "mterm": True,
        "wbawp": gridding.wbawp,
        "cfcache": cfcache,
        "usepointing": gridding.usepointing,
        "dopbcorr": True,
        "conjbeams": gridding.conjbeams,
        "computepastep": gridding.computepastep,
        "rotatepastep": gridding.rotatepastep,
        "pointingoffsetsigdev": _plain(gridding.pointingoffsetsigdev),
        "facets": gridding.facets,
        "chanchunks": 1,
        "interpolation": gridding.interpolation,
        "wprojplanes": field.wprojplanes,
        "deconvolver": field.deconvolver,
        "vptable": gridding.vptable,
        "imagename": imagename,
        **SINGLE_DISH_GRIDDING,
    }


def to_casa_normpars(config: PcleanConfig, field: ImageField, imagename: str) -> Record:
    """For `synthesisnormalizer.setupnormalizer`."""
    return {
        "pblimit": config.gridding.pblimit,
        "nterms": field.nterms,
        "facets": config.gridding.facets,
        "normtype": config.gridding.normtype,
        "workdir": "",
        "deconvolver": field.deconvolver,
        "imagename": imagename,
        "restoringbeam": _plain(config.deconvolution.restoringbeam),
        "psfcutoff": config.gridding.psfcutoff,
        **NEWER_NORMALIZERS,
        "calcres": config.run.calcres,
        "calcpsf": config.run.calcpsf,
    }


def to_casa_decpars(config: PcleanConfig, field: ImageField, imagename: str, number: int) -> Record:
    """For `synthesisdeconvolver.setupdeconvolution`; `number` is the field's place among the fields."""
    deconvolution, masking = config.deconvolution, config.masking
    return {
        "id": number,
        "deconvolver": field.deconvolver,
        "nterms": field.nterms,
        "scales": list(deconvolution.scales),
        "scalebias": deconvolution.smallscalebias,
        "restoringbeam": _plain(deconvolution.restoringbeam),
        "usemask": field.usemask,
        "mask": _plain(field.mask),
        "pbmask": masking.pbmask,
        "maskthreshold": "",
        "maskresolution": "",
        "nmask": 0,
        "sidelobethreshold": masking.sidelobethreshold,
        "noisethreshold": masking.noisethreshold,
        "lownoisethreshold": masking.lownoisethreshold,
        "negativethreshold": masking.negativethreshold,
        "smoothfactor": masking.smoothfactor,
        "fusedthreshold": deconvolution.fusedthreshold,
        "specmode": config.fields[0].specmode,
        "largestscale": deconvolution.largestscale,
        "minbeamfrac": masking.minbeamfrac,
        "cutthreshold": masking.cutthreshold,
        "growiterations": masking.growiterations,
        "dogrowprune": masking.dogrowprune,
        "minpercentchange": masking.minpercentchange,
        "verbose": masking.verbose,
        "fastnoise": masking.fastnoise,
        "interactive": False,
        "startmodel": _plain(field.startmodel),
        "nsigma": config.iteration.nsigma,
        "imagename": imagename,
        "fullsummary": config.iteration.fullsummary,
    }


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


def to_casa_weightpars(config: PcleanConfig) -> Record:
    """For `synthesisimager.setweighting`, as keywords."""
    weighting = config.weighting
    kind, rmode = WEIGHTING_TYPES.get(weighting.weighting, (weighting.weighting, "none"))
    return {
        "type": kind,
        "rmode": rmode,
        "robust": weighting.robust,
        "noise": weighting.noise,
        "npixels": weighting.npixels,
        "uvtaper": list(weighting.uvtaper),
        "multifield": config.gridding.mosweight,
        "usecubebriggs": weighting.perchanweightdensity,
    }


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


def to_casa_iterpars(config: PcleanConfig, imagenames: tuple[str, ...]) -> Record:
    """For `iterbotsink.setupiteration`."""
    iteration = config.iteration
    cycleniter = iteration.cycleniter
    if iteration.niter > 0 and not 0 < cycleniter <= iteration.niter:
        cycleniter = iteration.niter
    return {
        "niter": iteration.niter,
        "cycleniter": cycleniter,
        "threshold": iteration.threshold,
        "loopgain": iteration.gain,
        "interactive": False,
        "cyclefactor": iteration.cyclefactor,
        "minpsffraction": iteration.minpsffraction,
        "maxpsffraction": iteration.maxpsffraction,
        "savemodel": "none" if config.saves_model_late else config.run.savemodel,
        "nsigma": iteration.nsigma,
        "nmajor": iteration.nmajor,
        "fullsummary": iteration.fullsummary,
        "allimages": {
            str(number): {"imagename": name, "multiterm": field.multiterm}
            for number, (field, name) in enumerate(zip(config.fields, imagenames, strict=True))
        },
    }


def to_casa_miscpars(config: PcleanConfig) -> Record:
    """What no tool takes but the loop needs: what to compute, and what to leave behind."""
    return {
        "restart": config.run.restart,
        "savemodel": config.run.savemodel,
        "calcres": config.run.calcres,
        "calcpsf": config.run.calcpsf,
        "restoration": config.deconvolution.restoration,
        "pbcor": config.deconvolution.pbcor,
        "psfphasecenter": config.gridding.psfphasecenter,
        "engine": config.engine,
        "automaskengine": config.run.automaskengine,
    }
