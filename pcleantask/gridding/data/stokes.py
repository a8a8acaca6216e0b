"""From correlations to the products that an image is made of: Stokes parameters or single correlations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...errors import ParameterError

NAMES = {5: "RR", 6: "RL", 7: "LR", 8: "LL", 9: "XX", 10: "XY", 11: "YX", 12: "YY"}  # of casacore's Stokes types
PARALLEL = ("XX", "YY", "RR", "LL")
PSEUDO = "pseudoI"

# Stokes parameter -> its correlations and their coefficients, by the basis of the feeds.
STOKES: dict[str, dict[str, dict[str, complex]]] = {
    "linear": {
        "I": {"XX": 0.5, "YY": 0.5},
        "Q": {"XX": 0.5, "YY": -0.5},
        "U": {"XY": 0.5, "YX": 0.5},
        "V": {"XY": -0.5j, "YX": 0.5j},
    },
    "circular": {
        "I": {"RR": 0.5, "LL": 0.5},
        "Q": {"RL": 0.5, "LR": 0.5},
        "U": {"RL": -0.5j, "LR": 0.5j},
        "V": {"RR": 0.5, "LL": -0.5},
    },
}


def unknown_correlations(types: Sequence[int]) -> list[int]:
    """Numbers of POLARIZATION/CORR_TYPE that stand for no correlation of two feeds, linear or circular."""
    return [number for number in types if number not in NAMES]


def correlation_names(types: Sequence[int]) -> tuple[str, ...]:
    """Names of the correlations with these numbers in POLARIZATION/CORR_TYPE."""
    unknown = unknown_correlations(types)
    if unknown:
        raise ParameterError(f"correlations of type {unknown} can't be imaged with engine='ducc'; use engine='casa'")
    return tuple(NAMES[number] for number in types)


def products_of_stokes(stokes: str) -> tuple[str, ...]:
    """The products of an image with this `stokes` parameter, one for each plane.

    Raises
    ------
    ParameterError
        The combination is pseudoI, whose planes have flags of their own.
    """
    if stokes == PSEUDO:
        raise ParameterError("stokes='pseudoI' isn't available with engine='ducc'; use engine='casa' or stokes='I'")
    return planes_of(stokes)


def planes_of(stokes: str) -> tuple[str, ...]:
    """What is on each plane of an image with this `stokes` parameter."""
    if stokes == PSEUDO or set(stokes) <= set("IQUV"):
        return (stokes,) if stokes == PSEUDO else tuple(stokes)
    return tuple(stokes[first : first + 2] for first in range(0, len(stokes), 2))


def coefficients(stokes: str, correlations: Sequence[str]) -> NDArray[np.complex128]:
    """What to multiply the correlations with, and sum, to have the products.

    Stokes I alone is the mean of the parallel hands that the data have, as in CASA (FTMachine::matchPol). Where no
    product can be made of the data there is nothing to image in them, and all coefficients are 0.

    Parameters
    ----------
    stokes : str
        The parameter of the task.
    correlations : sequence of str
        What the data have, such as ('XX', 'YY').

    Returns
    -------
    ndarray of complex128, shape (product, correlation)

    Raises
    ------
    ParameterError
        The data lack a correlation that some of the products need, and have those of others.
    """
    rows = _terms(stokes, correlations)
    if not can_be_made(stokes, correlations):
        return np.zeros((len(rows), len(correlations)), complex)
    lacking = lacking_correlations(stokes, correlations)
    if lacking:
        raise ParameterError(
            f"stokes={stokes!r} needs the correlations {lacking}, and the data have {list(correlations)}; use "
            "engine='casa', which leaves planes blank, or ask for less"
        )
    return np.array([[terms.get(name, 0) for name in correlations] for terms in rows], complex)


def _terms(stokes: str, correlations: Sequence[str]) -> list[dict[str, complex]]:
    """Of each product its correlations and their coefficients."""
    hands = [name for name in correlations if name in PARALLEL]
    if stokes == "I" and hands:
        return [dict.fromkeys(hands, 1 / len(hands))]
    basis = "linear" if correlations[0][0] in "XY" else "circular"
    return [STOKES[basis].get(product, {product: 1}) for product in products_of_stokes(stokes)]


def can_be_made(stokes: str, correlations: Sequence[str]) -> bool:
    """Whether data with these correlations have any of the products of an image with this `stokes` parameter."""
    if stokes == PSEUDO:
        return any(name in PARALLEL for name in correlations)
    return any(terms.keys() <= set(correlations) for terms in _terms(stokes, correlations))


def lacking_correlations(stokes: str, correlations: Sequence[str]) -> list[str]:
    """The correlations that the image's planes need and data with these correlations don't have."""
    needed = dict.fromkeys(name for terms in _terms(stokes, correlations) for name in terms)
    return [name for name in needed if name not in correlations]


def correlations_on_plane(stokes: str, correlations: Sequence[str]) -> int:
    """How many correlations fall on one plane of the image: both parallel hands on that of Stokes I alone.

    CASA counts a visibility's weight so many times.
    """
    return max(1, sum(name in PARALLEL for name in correlations)) if stokes == "I" else 1


def correlations_of(stokes: str, correlations: Sequence[str]) -> NDArray[np.complex128]:
    """What to multiply the products with, and sum, to have the correlations: 0 in those that none of them tells of.

    Follows StokesImageUtil::From (CASA's TransformMachines/StokesImageUtil.cc): XX = I + Q, XY = U + iV, ...; so that
    I alone is in both parallel hands. For the parameters see `coefficients`, whose rows are orthogonal.

    Returns
    -------
    ndarray of complex128, shape (correlation, product)
    """
    rows = coefficients(stokes, correlations)
    norms = (np.abs(rows) ** 2).sum(axis=1)
    return rows.conj().T / np.where(norms > 0, norms, 1)
