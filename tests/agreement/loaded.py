"""Loads CASA's tasks and pclean where it is imported: a server of processes does that once for all of them."""

from pcleantask import casa, pclean

casa.load()
import casatasks  # noqa: E402

__all__ = ["casatasks", "pclean"]
