"""From correlations to the products that an image is made of: Stokes parameters or single correlations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import ParameterError

NAMES = {5: "RR", 6: "RL", 7: "LR", 8: "LL", 9: "XX", 10: "XY", 11: "YX", 12: "YY"}  # of casacore's Stokes types
PARALLEL = ("XX", "YY", "RR", "LL")

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
    """Those of these numbers of POLARIZATION/CORR_TYPE that are no correlations of two feeds, linear or circular."""
    return [number for number in types if number not in NAMES]


def correlation_names(types: Sequence[int]) -> tuple[str, ...]:
    """Names of the correlations with these numbers in POLARIZATION/CORR_TYPE."""
    unknown = unknown_correlations(types)
    if unknown:
        raise ParameterError(f"correlations of type {unknown} can't be imaged with engine='ducc'; use engine='casa'")
    return tuple(NAMES[number] for number in types)


def products(stokes: str) -> tuple[str, ...]:
    """The products of an image with this `stokes` parameter, one for each plane.

    Raises
    ------
    ParameterError
        The combination is pseudoI, whose planes have flags of their own.
    """
    if stokes == "pseudoI":
        raise ParameterError("stokes='pseudoI' isn't available with engine='ducc'; use engine='casa' or stokes='I'")
    if set(stokes) <= set("IQUV"):
        return tuple(stokes)
    return tuple(stokes[first : first + 2] for first in range(0, len(stokes), 2))


def coefficients(stokes: str, correlations: Sequence[str]) -> NDArray[np.complex128]:
    """What to multiply the correlations with, and sum, to have the products.

    Stokes I alone is the mean of the parallel hands that the data have, as in CASA (FTMachine::matchPol).

    Parameters
    ----------
    stokes : str
        The parameter of the task.
    correlations : sequence of str
        Those of the data, such as ('XX', 'YY').

    Returns
    -------
    ndarray of complex128, shape (product, correlation)

    Raises
    ------
    ParameterError
        The data lack a correlation.
    """
    hands = [name for name in correlations if name in PARALLEL]
    basis = "linear" if correlations[0][0] in "XY" else "circular"
    rows = []
    for product in products(stokes):
        if stokes == "I" and hands:
            terms: dict[str, complex] = dict.fromkeys(hands, 1 / len(hands))
        else:
            terms = STOKES[basis].get(product, {product: 1})
        lacking = [name for name in terms if name not in correlations]
        if lacking:
            raise ParameterError(
                f"stokes={stokes!r} needs the correlations {lacking}, and the data have {list(correlations)}"
            )
        rows.append([terms.get(name, 0) for name in correlations])
    return np.array(rows, complex)


def hands_on_plane(stokes: str, correlations: Sequence[str]) -> int:
    """How many correlations fall on one plane of the image: both parallel hands on that of Stokes I alone.

    CASA counts a visibility's weight so many times.
    """
    return sum(name in PARALLEL for name in correlations) if stokes == "I" else 1


def correlations_of(stokes: str, correlations: Sequence[str]) -> NDArray[np.complex128]:
    """What to multiply the products with, and sum, to have the correlations: 0 in those that none of them tells of.

    Follows StokesImageUtil::From (CASA's TransformMachines/StokesImageUtil.cc): XX = I + Q, XY = U + iV, ...; so that
    I alone is in both parallel hands. For the parameters see `coefficients`, whose rows are orthogonal.

    Returns
    -------
    ndarray of complex128, shape (correlation, product)
    """
    rows = coefficients(stokes, correlations)
    return rows.conj().T / (np.abs(rows) ** 2).sum(axis=1)
