"""What of an image its visibilities depend on."""

from __future__ import annotations

import dataclasses

from ....config import PcleanConfig
from ....errors import ParameterError
from ....images.coordinates import ImageCoordinates
from ....sections import ImageField
from ....traits import GRIDDERS
from ...data.directions import image_centre
from ...data.frames import spectral_axis
from ...data.reading import Target
from ...data.stokes import products_of_stokes
from ...spectral.axis import SpectralAxis
from ..weights.density import Scheme, UvGrid
from ..weights.scheme import uv_grid, weighting_scheme
from ..weights.uv_extent import Extent
from .channel_group import padding

INTERPOLATIONS = ("linear", "nearest")


@dataclasses.dataclass(frozen=True)
class ImageOfData:
    """What of an image its visibilities depend on.

    Attributes
    ----------
    axis : SpectralAxis, optional
        The whole cube's; None for a continuum image.
    padded : SpectralAxis, optional
        That axis with the channels at its ends that count for densities alone.
    channels : range
        Of the cube, those that are imaged here.
    interpolation : str
    scheme : Scheme
    grid : UvGrid
    target : Target
    pads_densities : bool
        Whether the padded axis is that of densities; where a single channel is beyond the ends of the data's spectral
        windows CASA takes the density of that channel alone, without interpolation (it looks for data about it by
        casacore's MSSpwIndex::matchFrequencyRange, in BriggsCubeWeightor::estimateSwingChanPad, and finds none).
    weighs_fields : bool
        Whether each field of a mosaic has a density of its own.
    """

    axis: SpectralAxis | None
    padded: SpectralAxis | None
    channels: range
    interpolation: str
    scheme: Scheme
    grid: UvGrid
    target: Target
    pads_densities: bool = True
    weighs_fields: bool = False

    @classmethod
    def of(
        cls,
        config: PcleanConfig,
        field: ImageField,
        coordinates: ImageCoordinates,
        channels: range | None = None,
        ncorr: int = 1,
    ) -> ImageOfData:
        """The image that CASA would make of the field, with its coordinates."""
        interpolation = config.gridding.interpolation
        axis = spectral_axis(coordinates) if field.is_cube else None
        if axis is not None and interpolation not in INTERPOLATIONS:
            raise ParameterError(
                f"interpolation={interpolation!r} isn't available with engine='ducc', only {list(INTERPOLATIONS)}; "
                "use engine='casa'"
            )
        products_of_stokes(config.frame.stokes)
        target = Target(
            stokes=config.frame.stokes,
            centre=image_centre(coordinates, field.imsize),
            moving=coordinates.is_moving,
            by_channel=axis is not None,
            ncorr=ncorr,
            joins_pointings=GRIDDERS[field.gridder].joins_pointings,
        )
        return cls(
            axis=axis,
            padded=spectral_axis(coordinates, padding(coordinates.nchan)) if field.is_cube else None,
            channels=range(coordinates.nchan) if channels is None else channels,
            interpolation=interpolation,
            scheme=weighting_scheme(config.weighting, axis),
            grid=uv_grid(field, coordinates),
            target=target,
            weighs_fields=config.gridding.mosweight,
        )

    @property
    def extent(self) -> Extent:
        """How far the grid reaches on which CASA would image the data."""
        return Extent.of(self.grid, joins_pointings=self.target.joins_pointings)

    @property
    def densities(self) -> SpectralAxis:
        """The cube's axis with the channels at its ends that count for densities alone."""
        assert self.padded is not None
        return self.padded

    @property
    def pad(self) -> int:
        assert self.axis is not None
        return padding(self.axis.nchan)
