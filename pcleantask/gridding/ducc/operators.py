"""Which measurement operator an image has."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from ...cores import usable_threads
from ..casa_evaluator import CasaEvaluator
from ..data.selection import DataSet, Pointing
from ..spectral.axis import LIGHT_SPEED
from .channels.visibilities import Visibilities
from .measurement import Measurement, OneField
from .mosaic.beams import Beams
from .mosaic.canvas import Canvas
from .mosaic.joint import JointMeasurement
from .mosaic.plane import ImagePlane
from .products.field_images import FieldImages
from .transform import Transform

TRACE = 2e-4  # of the rows


def make_measurement(
    evaluator: CasaEvaluator,
    images: FieldImages,
    sources: Sequence[DataSet],
    seen: Visibilities | None = None,
    at_once: int = 1,
) -> Measurement:
    """The measurement operator of a field's images.

    Parameters
    ----------
    evaluator : CasaEvaluator
        Of the run.
    images : FieldImages
    sources : sequence of DataSet
        The data.
    seen : Visibilities, optional
        What of them is gridded; by default they are predicted alone.
    at_once : int
        How many channels are worked on at the same time.
    """
    coordinates, shape, threads = images.coordinates, images.shape[:2], max(1, usable_threads() // at_once)
    if not images.is_mosaic:
        return OneField(Transform(shape, coordinates.cell, images.wide, threads))
    plane = ImagePlane.of(coordinates, shape)
    beams = Beams(evaluator, coordinates, shape[1] * abs(coordinates.cell[1]), sources, to_null=images.is_cube)
    pointings = {source.pointing for source in sources if source.pointing and plane.holds(source.pointing)}
    canvas = _canvas(plane, beams, pointings, seen) if seen is not None and beams.is_smooth else None
    channels = seen.axis.nchan if seen is not None and seen.axis is not None else 1
    views = channels * len(pointings)
    return JointMeasurement(plane, beams, canvas, threads, 2 * at_once * len(pointings), views)


def _canvas(plane: ImagePlane, beams: Beams, pointings: Collection[Pointing], seen: Visibilities) -> Canvas | None:
    """Where a cube's channels are summed up: all at the same cells, which do for the highest frequency.

    The little detail that beams have beyond a dish's size counts only where there is more than a trace of data.
    """
    assert seen.axis is not None
    dish, aperture = beams.extent
    reach = np.maximum(seen.reach() + dish, seen.reach(1 - TRACE) + (dish + aperture) / 2)
    u, v = reach * float(seen.axis.frequency.max()) / LIGHT_SPEED
    return Canvas.of(plane, pointings, beams.radius(float(seen.axis.frequency.min())), (float(u), float(v)))
