"""Rows that pclean refuses on purpose."""

from __future__ import annotations

from dataclasses import replace

from .furnish import masks_in_many_forms
from .table import after, mfs

REFUSALS = [
    replace(
        after(mfs("mask-expression", {"stopcode": 7}, mask="'plain.mask' + 0"), masks_in_many_forms),
        refused="is not there; give an image, a region file",
    ),
    replace(mfs("niter-minus-one", niter=-1), refused="niter must not be negative, got -1"),
]
