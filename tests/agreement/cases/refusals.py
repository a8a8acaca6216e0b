"""Rows that pclean refuses on purpose."""

from __future__ import annotations

from dataclasses import replace

from .table import mfs

REFUSALS = [
    replace(mfs("niter-minus-one", niter=-1), refused="niter must not be negative, got -1"),
]
