"""PcleanConfig -> the records of casatools' synthesis tools: the only file that knows their keys ('timestr', ...).

The keys and their grouping are those that casatasks' `imagerhelpers/input_parameters.py` (6.7.0) hands to the tools.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from . import casa, measurementsets
from .config import PcleanConfig
from .errors import ParameterError
from .images.coordinates import ImageCoordinates
from .recordvalues import DataSelection, Densities, Record
from .sections import ImageField
from .traits import GRIDDERS

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
# Parameters with which CASA's automask takes its statistics but neither finds, grows nor skips anything: every plane is
# limited by a sidelobe threshold that no pixel reaches.
STATISTICS_ONLY: Record = {
    "sidelobethreshold": 1e9,
    "noisethreshold": 0.0,
    "lownoisethreshold": 0.0,
    "negativethreshold": 0.0,
    "minbeamfrac": 0.0,
    "growiterations": 0,
    "minpercentchange": -1.0,
    "verbose": False,
}
SELECTION_FRAMES = {"cubedata": "Undefined", "cubesource": "REST"}


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

    @property
    def selections(self) -> tuple[DataSelection, ...]:
        """What is read of each MeasurementSet."""
        return tuple(map(DataSelection.of, self.selpars))

    @property
    def coordinates(self) -> tuple[ImageCoordinates, ...]:
        """Each field's coordinate system, of records that are `placed`."""
        return tuple(ImageCoordinates(record["csys"], record["nchan"]) for record in self.impars)

    def placed(self, coordinates: Sequence[ImageCoordinates], **changes: Any) -> ToolRecords:
        """With coordinate systems that CASA is given, one a field, and other changes of the images' definitions."""
        changes["obslocation_rec"] = measurementsets.observatory_position(self.selpars[0]["msname"])
        impars = (
            {**record, **changes, "csys": image.record, "nchan": image.nchan}
            for record, image in zip(self.impars, coordinates, strict=True)
        )
        return dataclasses.replace(self, impars=tuple(impars))

    def showing(self, selections: Iterable[DataSelection]) -> ToolRecords:
        """With other selections, of MeasurementSets that are among these."""
        own = {record["msname"]: record for record in self.selpars}
        return dataclasses.replace(self, selpars=tuple(chosen.put_into(own[chosen.vis]) for chosen in selections))

    def for_reading(self) -> ToolRecords:
        """For questions about the images, with no data opened for writing."""
        selpars = ({**record, "readonly": True, "usescratch": False} for record in self.selpars)
        return dataclasses.replace(self, selpars=tuple(selpars))

    def for_saving(self) -> ToolRecords:
        """For saving models on disk: the start model is in them by then, and CASA refuses to be given both."""
        return dataclasses.replace(self, impars=tuple({**record, "startmodel": ""} for record in self.impars))

    def for_beam_cube(self, imsize: tuple[int, int]) -> ToolRecords:
        """For one cube in Stokes I of the beam that gridder='standard' has."""
        impars = {**self.impars[0], "imsize": list(imsize), "specmode": "cube", "stokes": "I"}
        gridpars = {**self.gridpars[0], "gridder": "standard", "deconvolver": "hogbom"}
        return dataclasses.replace(self, impars=(impars,), gridpars=(gridpars,), normpars=self.normpars[:1])

    def with_gridding(self, number: int, gridpars: Record) -> ToolRecords:
        """With another record of gridding for field `number`."""
        return dataclasses.replace(self, gridpars=(*self.gridpars[:number], gridpars, *self.gridpars[number + 1 :]))

    def with_planes_in_w(self) -> ToolRecords:
        """With the term in w also where its number of planes is one, as ducc0 has it: how many is CASA's choice."""
        gridpars = (
            {**record, "wprojplanes": -1}
            if GRIDDERS[record["gridder"]].takes_w and record["wprojplanes"] == 1
            else record
            for record in self.gridpars
        )
        return dataclasses.replace(self, gridpars=tuple(gridpars))


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


def data_selections(config: PcleanConfig) -> tuple[DataSelection, ...]:
    """What a run reads of each MeasurementSet, in order of time."""
    return tuple(map(DataSelection.of, to_casa_selpars(config)))


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


def unmasked(decpars: Record) -> Record:
    """For a deconvolver that makes no mask: .mask is there, which CASA refuses to be given anew, or others make it."""
    return {**decpars, "usemask": "user", "mask": ""}


def measuring_only(decpars: Record) -> Record:
    """For a deconvolver whose automask takes its statistics, but makes no mask."""
    return {**decpars, **STATISTICS_ONLY}


def without_start_model(decpars: Record) -> Record:
    """For a deconvolver whose start model, if there was one, is in .model by now."""
    return {**decpars, "startmodel": ""}


def without_data(decpars: Record) -> Record:
    """For a deconvolver of images that no visibilities were gridded on."""
    return {**without_start_model(decpars), "pbmask": 0.0, "noRequireSumwt": True}


def restoring_only(decpars: Record, beam: Record | None = None) -> Record:
    """For a deconvolver that only restores, by one beam of CASA's for all planes where one is given."""
    record = {**unmasked(without_start_model(decpars)), "nsigma": 0.0}
    if beam is not None:
        parts = (beam[part] for part in ("major", "minor", "positionangle"))
        record["restoringbeam"] = [f"{part['value']!r}{part['unit']}" for part in parts]
    return record


def to_casa_weightpars(config: PcleanConfig) -> Record:
    """For `synthesisimager.setweighting`, as keywords."""
    weighting = config.weighting
    return {
        "type": weighting.kind,
        "rmode": weighting.rmode,
        "robust": weighting.robust,
        "noise": weighting.noise,
        "npixels": weighting.npixels,
        "uvtaper": list(weighting.uvtaper),
        "multifield": config.gridding.mosweight,
        "usecubebriggs": weighting.perchanweightdensity,
    }


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
