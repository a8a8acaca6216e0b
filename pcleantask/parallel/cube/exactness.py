"""Whether slabs of a cube are gridded to the last bit as the whole of it. Arithmetic only.

What CASA's gridder makes of a channel depends on the list of channels that it works on, in ways that this module knows:
frequencies at which data and models are interpolated come from running sums that begin at the first channel
(FTMachine::interpolateFrequencyTogrid, interpolateFrequencyFromgrid), models are predicted in a range of channels that
depends on whether data reach beyond the ends (FTMachine::matchChannel, getInterpolateArrays), and several
MeasurementSets have one density of weights or one each, as the number of channels says (BriggsCubeWeightor).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..partition import Slab

Doubles = NDArray[np.float64]

TUNED = 30  # channels of a spectral window from which on CASA selects the data near an image's channels
NEAR_BORDER = 1e-9  # relative: so near to a whole number the rounding of frequencies decides
EDGE = 1e-3  # channels by which places of data may differ from those looked at
REACH = {"nearest": 0.0, "linear": 2.0, "cubic": 4.0}  # data channels beyond an image's ends that count as near it
SURE_PAD = 2  # channels that CASA's estimate of Doppler shifts may differ from ours


@dataclass(frozen=True)
class Coverage:
    """The data of one MeasurementSet and spectral window.

    Attributes
    ----------
    number : int
        Of the MeasurementSet.
    frequency : ndarray of float64, shape (chan,)
        Of the selected channels, in their own frame and order [Hz].
    shifts : ndarray of float64, shape (some,)
        What takes them to the frame of gridding, at times spread over the observation.
    window_size : int
        Channels of the whole spectral window.
    """

    number: int
    frequency: Doubles
    shifts: Doubles
    window_size: int

    @property
    def spacing(self) -> tuple[float, float]:
        """The least and the largest distance of the first two channels in the frame of gridding [Hz]; 0 for one."""
        if len(self.frequency) < 2:
            return 0.0, 0.0
        distance = abs(float(self.frequency[1] - self.frequency[0]))
        return distance * float(self.shifts.min()), distance * float(self.shifts.max())

    def ends(self) -> tuple[Doubles, Doubles]:
        """Lowest and highest frequency at each of the times, in the frame of gridding [Hz]."""
        return float(self.frequency.min()) * self.shifts, float(self.frequency.max()) * self.shifts


def widest_gap(frequency: Doubles, data: Sequence[Coverage]) -> float:
    """The largest distance of neighbouring selected channels of the data from which a cube's are interpolated [Hz]."""
    widest, width = 0.0, abs(float(frequency[-1] - frequency[0])) / max(1, len(frequency) - 1)
    for entry in data:
        low = (frequency.min() - width) / entry.shifts.max()
        high = (frequency.max() + width) / entry.shifts.min()
        rising = np.sort(entry.frequency)
        near = np.flatnonzero((rising[1:] > low) & (rising[:-1] < high))
        if len(near):  # cubic interpolation looks one further at both ends
            gaps = np.diff(rising)[max(0, near[0] - 1) : near[-1] + 2]
            widest = max(widest, float(gaps.max()) * float(entry.shifts.max()))
    return widest


def why_inexact(
    frequency: Doubles, slabs: Sequence[Slab], data: Sequence[Coverage], *, interpolation: str, has_densities: bool
) -> str:
    """Why slabs are not gridded as the whole cube is; '' where they are.

    Parameters
    ----------
    frequency : ndarray of float64, shape (chan,)
        Of the whole cube's channels, in the frame of gridding [Hz].
    slabs : sequence of Slab
    data : sequence of Coverage
        In CASA's order: MeasurementSet by MeasurementSet, spectral window by spectral window.
    interpolation : str
        tclean's parameter.
    has_densities : bool
        Whether each channel's weights come from a density of its own, over all fields.
    """
    if len(slabs) < 2:
        return ""
    reach = REACH[interpolation]
    for slab in slabs:
        if not _reach_all(frequency, slab, data, by_first=has_densities):
            return "one of the data sets has no data for one of the parts"
        if reach and not _is_predicted_alike(frequency, slab, data, reach):
            return "a part would end within a data set that begins and ends inside the cube"
        if has_densities and not _has_same_densities(frequency, slab, data):
            return "densities of weights would be of one data set in parts, of all in the whole"
        if reach and not _is_sampled_alike(frequency, slab, data, interpolation):
            return "data would be interpolated at frequencies that differ in their last bits"
    return ""


def _pixels(frequency: Doubles, values: Doubles) -> Doubles:
    """Fractional channels of the cube at some frequencies."""
    return (values - frequency[0]) / (frequency[-1] - frequency[0]) * (len(frequency) - 1)


def _pixel_ends(frequency: Doubles, entry: Coverage) -> tuple[Doubles, Doubles]:
    """Channels of the cube at which data begin and end, at each of the times."""
    first, last = (_pixels(frequency, values) for values in entry.ends())
    return np.minimum(first, last), np.maximum(first, last)


def _reach_all(frequency: Doubles, slab: Slab, data: Sequence[Coverage], *, by_first: bool) -> bool:
    """Whether each MeasurementSet has data in the slab, as CASA crashes or fails without.

    Where it makes densities of several, it looks at the first spectral window of each alone (`by_first`).
    """
    numbers = {entry.number for entry in data}
    firsts = {number: next(entry for entry in data if entry.number == number) for number in numbers}
    candidates = firsts.values() if by_first and len(numbers) > 1 else data
    reached = set()
    for entry in candidates:
        first, last = _pixel_ends(frequency, entry)
        if (first < slab.last - 1).all() and (last > slab.first).all():
            reached.add(entry.number)
    return reached == numbers


def _is_predicted_alike(frequency: Doubles, slab: Slab, data: Sequence[Coverage], reach: float) -> bool:
    """Whether each of the slab's channels is predicted from the same data sets as in the whole cube.

    Data that begin inside an image aren't predicted from the channel before them, unless others of their channels lie
    just beyond the image's end: which they do in a slab where data go on, and may not do in the whole.
    """
    width = abs(frequency[1] - frequency[0])
    for entry in data:
        if len(entry.frequency) < 2:
            continue
        spacing = abs(entry.frequency[1] - entry.frequency[0]) / width
        for shift, aside in itertools.product(entry.shifts, (-EDGE, 0.0, EDGE)):
            places = _pixels(frequency, entry.frequency * shift) + aside
            whole = predicted_channels(places, spacing, range(len(frequency)), reach)
            part = predicted_channels(places, spacing, range(slab.first, slab.last), reach)
            if part and range(max(whole.start, slab.first), min(whole.stop, slab.last)) != part:
                return False
    return True


def predicted_channels(places: Doubles, spacing: float, channels: range, reach: float) -> range:
    """The channels of a cube, or of a slab of it, from which CASA predicts data; none where it leaves them out.

    Parameters
    ----------
    places : ndarray of float64, shape (chan,)
        Where the data are, in channels of the cube.
    spacing : float
        Distance of their first two channels, in channels of the cube.
    channels : range
        The image's.
    reach : float
        How many data channels beyond an image's ends count as near it.
    """
    own = places - channels.start
    nearest = np.floor(own + 0.5)
    inside = (nearest >= 0) & (nearest < len(channels))
    if not inside.any():
        return range(0)
    above = (own > len(channels) - spacing / 2) & (own < len(channels) + reach * spacing)
    below = (own < spacing / 2) & (own > -reach * spacing)
    last, first = int(nearest[inside].max()), int(nearest[inside].min())
    if first == last or (~inside & (above | below)).any():
        first = 0
    return range(channels.start + first, channels.start + last + 1)


def _has_same_densities(frequency: Doubles, slab: Slab, data: Sequence[Coverage]) -> bool:
    """Whether CASA makes one density of all MeasurementSets both in the slab and in the whole, or in neither.

    It does unless the Doppler shifts between them take more channels than a tenth (BriggsCubeWeightor's
    initImgWeightCol and estimateSwingChanPad).
    """
    if len({entry.number for entry in data}) < 2:
        return True
    middle, width = float(frequency.mean()), abs(float(frequency[1] - frequency[0]))
    shifts = np.concatenate([entry.shifts for entry in data])
    firsts = [float(entry.frequency.min()) for entry in data]
    swing = (middle * float(np.ptp(shifts)) + max(firsts) - min(firsts)) / width
    span = range(max(0, math.ceil(swing) - SURE_PAD), math.ceil(swing) + SURE_PAD + 1)
    found = {_is_in_one_go(size, pad) for size in (len(frequency), slab.size) for pad in span}
    return len(found) == 1


def _is_in_one_go(nchan: int, swing: int) -> bool:
    pad = 2 * (swing + max(min(4, nchan // 10), 1))
    return pad <= 4 or pad <= nchan // 10


def _is_sampled_alike(frequency: Doubles, slab: Slab, data: Sequence[Coverage], interpolation: str) -> bool:
    """Whether data and models are interpolated at the same frequencies, to the last bit, in the slab and the whole."""
    part = frequency[slab.first : slab.last]
    width = abs(frequency[1] - frequency[0])
    if abs(part[1] - part[0]) != width:
        return False
    for entry in data:
        narrowest, widest = entry.spacing
        if not narrowest:
            continue
        least, most = float(width) / widest, float(width) / narrowest
        rates = range(max(1, math.floor(least * (1 - NEAR_BORDER))), math.floor(most * (1 + NEAR_BORDER)) + 1)
        if len(rates) > 1 and entry.window_size >= TUNED and most * (1 + NEAR_BORDER) >= 2:
            return False  # which of the rates is taken depends on the data channels that CASA selects for the slab
        for rate in rates if most * (1 + NEAR_BORDER) > 1 else ():
            if not _same_samples(frequency, slab, entry, rate, interpolation):
                return False
    return True


def _same_samples(frequency: Doubles, slab: Slab, entry: Coverage, rate: int, interpolation: str) -> bool:
    part = frequency[slab.first : slab.last]
    models = model_frequencies(frequency, rate)[slab.first * rate : slab.last * rate]
    if not np.array_equal(models, model_frequencies(part, rate)):
        return False
    rises = bool(entry.frequency[1] > entry.frequency[0])
    width = abs(frequency[1] - frequency[0])
    own = frequency[slab.start : slab.stop]
    for lowest, highest in _distinct_ends(frequency, entry):
        whole, piece = (
            data_frequencies(channels, lowest, highest, rate, rises=rises, interpolation=interpolation)
            for channels in (frequency, part)
        )
        near = [values[(values > own.min() - width) & (values < own.max() + width)] for values in (whole, piece)]
        if not np.array_equal(*near):
            return False
    return True


def _distinct_ends(frequency: Doubles, entry: Coverage) -> list[tuple[float, float]]:
    """Lowest and highest frequencies of the data, once for each pair of the cube's channels in which they fall."""
    rising = np.sort(frequency)
    places = {
        (int(np.searchsorted(rising, low)), int(np.searchsorted(rising, high))): (float(low), float(high))
        for low, high in zip(*entry.ends(), strict=True)
    }
    return list(places.values())


def model_frequencies(frequency: Doubles, rate: int) -> Doubles:
    """Frequencies at which CASA samples a model whose channels are wider than the data's, `rate` to a channel."""
    width = frequency[1] - frequency[0]
    step = width / np.float64(rate)
    start = frequency[0] - width / 2.0 + step / 2.0
    return start + np.arange(len(frequency) * rate) * step


def data_frequencies(
    frequency: Doubles, lowest: float, highest: float, rate: int, *, rises: bool, interpolation: str
) -> Doubles:
    """Frequencies to which CASA interpolates data from `lowest` to `highest`, `rate` of them a channel."""
    width = abs(frequency[1] - frequency[0])
    bottom, top = frequency.min(), frequency.max()
    if bottom < lowest:
        bottom = _bracket(frequency, lowest, bottom)
    if top > highest:
        top = _bracket(frequency, highest, top)
    step = np.copysign(width / np.float64(rate), 1.0 if rises else -1.0)
    start = bottom if rises else top
    start = start - (2.0 * step if interpolation == "cubic" else step)
    edge = width / 2.0 - abs(step) / 2.0
    start = start - edge if rises else start + edge
    count = math.ceil((top - bottom + width) / abs(step)) + 2
    return np.add.accumulate(np.concatenate([[start], np.full(max(count, 1) - 1, step)]))


def _bracket(frequency: Doubles, value: float, otherwise: np.float64) -> np.float64:
    """The first channel, in the cube's order, that is not before a frequency (casacore's binarySearchBrackets)."""
    falls = frequency[-1] < frequency[0]
    place = int(np.searchsorted(-frequency, -value)) if falls else int(np.searchsorted(frequency, value))
    return frequency[place] if place < len(frequency) else otherwise
