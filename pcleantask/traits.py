"""What engines, gridders and algorithms do and need: the one table. Nobody else asks for one of them by its name.

A new one is a line here and in what makes it: `gridding.ENGINE_MAKERS`, `imaging.memory_deconvolver.ALGORITHM_MAKERS`.
"""

from __future__ import annotations

from dataclasses import dataclass

CASA, DUCC, AUTO = "casa", "ducc", "auto"


@dataclass(frozen=True)
class EngineTraits:
    """Who grids.

    Attributes
    ----------
    is_exact_anywhere : bool
        A cube may be cut at any channel: its parts are gridded as the whole is.
    blanks_guards : bool
        Residuals of guard channels are left zero.
    has_own_beams : bool
        Each plane of each field has a beam of its own, fitted with the cutoff asked for, and keeps it; CASA copies the
        first polarisation's, takes the cutoff in the main field alone, and writes its beams again.
    beams_vary_with_threads : bool
        The last bits of primary beams depend on the number of threads.
    holds_planes : bool
        Planes are handed to a minor cycle in memory.
    has_density_images : bool
        Densities of visibilities are CASA's images; else arrays.
    counts_w_planes : bool
        How many planes in w there are depends on all rows.
    is_threaded : bool
        It images in threads, which on few cores do what as many workers would, in less memory.
    """

    is_exact_anywhere: bool = False
    blanks_guards: bool = False
    has_own_beams: bool = False
    beams_vary_with_threads: bool = False
    holds_planes: bool = False
    has_density_images: bool = False
    counts_w_planes: bool = False
    is_threaded: bool = False


ENGINES: dict[str, EngineTraits] = {
    CASA: EngineTraits(beams_vary_with_threads=True, has_density_images=True, counts_w_planes=True),
    DUCC: EngineTraits(
        is_exact_anywhere=True, blanks_guards=True, has_own_beams=True, holds_planes=True, is_threaded=True
    ),
}


@dataclass(frozen=True)
class GridderTraits:
    """What the parameter `gridder` chooses.

    Attributes
    ----------
    in_ducc : bool
        engine='ducc' does it.
    takes_w : bool
        It takes the term in w; where wprojplanes < 1 CASA finds the number of planes.
    joins_pointings : bool
        Mosaics: the primary beam of each pointing is in the gridding.
    projects_aperture : bool
        A-projection: convolution by the antennas' aperture functions.
    keeps_cache : bool
        Its convolution functions are kept on the disk, in cfcache.
    weighs_fields : bool
        It has `mosweight`.
    has_conjugate_beams : bool
        It has `conjbeams`, which must be off where each channel's own beam is wanted.
    corrects_frequency : bool
        `wbawp` must be on for each channel's own beam.
    checks_beam : bool
        tclean looks whether its primary beam ends within the image.
    shows_beam_spectrum : bool
        Taylor terms that are divided by its primary beam keep the spectral index of that.
    lacks_conjugates : bool
        Taylor terms come near the right spectrum in some major cycles alone, as it has no conjugate beams.
    is_released : bool
        The casatools on PyPI have it.
    """

    in_ducc: bool = False
    takes_w: bool = False
    joins_pointings: bool = False
    projects_aperture: bool = False
    keeps_cache: bool = False
    weighs_fields: bool = False
    has_conjugate_beams: bool = False
    corrects_frequency: bool = False
    checks_beam: bool = False
    shows_beam_spectrum: bool = False
    lacks_conjugates: bool = False
    is_released: bool = True


_FLAT = GridderTraits(in_ducc=True)
_WIDE = GridderTraits(in_ducc=True, takes_w=True)
_MOSAIC = GridderTraits(in_ducc=True, joins_pointings=True)
GRIDDERS: dict[str, GridderTraits] = {
    "standard": GridderTraits(in_ducc=True, shows_beam_spectrum=True),
    "ft": _FLAT,
    "gridft": _FLAT,
    "widefield": _WIDE,
    "wproject": _WIDE,
    "wprojectft": _WIDE,
    "mosaic": GridderTraits(
        in_ducc=True,
        joins_pointings=True,
        weighs_fields=True,
        has_conjugate_beams=True,
        checks_beam=True,
        shows_beam_spectrum=True,
        lacks_conjugates=True,
    ),
    "ftmosaic": _MOSAIC,
    "mosaicft": _MOSAIC,
    "imagemosaic": GridderTraits(joins_pointings=True, takes_w=True),
    "awproject": GridderTraits(
        projects_aperture=True,
        keeps_cache=True,
        has_conjugate_beams=True,
        corrects_frequency=True,
        checks_beam=True,
    ),
    "awprojectft": GridderTraits(projects_aperture=True, keeps_cache=True),
    "awphpg": GridderTraits(projects_aperture=True, is_released=False),
    "awp2": GridderTraits(projects_aperture=True, weighs_fields=True, lacks_conjugates=True),
}


@dataclass(frozen=True)
class AlgorithmTraits:
    """A minor cycle.

    Attributes
    ----------
    makes_terms : bool
        It makes Taylor terms.
    planes, scale_planes : int
        Planes in single precision that CASA reckons with, for those that are cleaned in memory, and so many more for
        each scale; 0 for others.
    joins_polarisations : bool
        All polarisations of a channel are cleaned together.
    can_be_recalled : bool
        All that it knows from one minor cycle to the next are images, so that another process can go on.
    """

    makes_terms: bool = False
    planes: int = 0
    scale_planes: int = 0
    joins_polarisations: bool = False
    can_be_recalled: bool = True

    @property
    def in_memory(self) -> bool:
        return self.planes > 0


ALGORITHMS: dict[str, AlgorithmTraits] = {
    "hogbom": AlgorithmTraits(planes=4),
    "clark": AlgorithmTraits(planes=6, joins_polarisations=True),
    "clarkstokes": AlgorithmTraits(planes=6),
    "clark_exp": AlgorithmTraits(),
    "clarkstokes_exp": AlgorithmTraits(),
    "multiscale": AlgorithmTraits(planes=7, scale_planes=5),
    "mtmfs": AlgorithmTraits(makes_terms=True, planes=10, scale_planes=3),
    "mem": AlgorithmTraits(can_be_recalled=False),
    "asp": AlgorithmTraits(),
}

# Weightings of Briggs' kind -> what robustness is relative to, as CASA calls it (rmode).
BRIGGS = {"briggs": "norm", "briggsabs": "abs", "briggsbwtaper": "bwtaper"}


def makes_terms(deconvolver: str) -> bool:
    """Whether an algorithm makes Taylor terms; those of which nothing is known are CASA's affair."""
    return ALGORITHMS.get(deconvolver, AlgorithmTraits()).makes_terms
