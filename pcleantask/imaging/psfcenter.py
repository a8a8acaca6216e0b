"""The PSF of a mosaic at a direction of the user's choice (psfphasecenter)."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from .. import casa
from ..config import PcleanConfig
from ..gridding.casa import CasaGridder
from ..images.store import ImageStore
from ..toolrecords import tool_records


def replace_psf(config: PcleanConfig, imagename: str, store: ImageStore) -> None:
    """Make the first field's PSF anew with `psfphasecenter` as phase centre, and fit its beam.

    A PSF made at the mosaic's own centre is bad where few pointings cover that centre. The new one keeps the old one's
    image and miscellaneous information. All tools must have let go of the images.
    Follows task_tclean.py of casatasks 6.7.0.
    """
    main = dataclasses.replace(config.fields[0], phasecenter=config.gridding.psfphasecenter)
    terms = (imagename + ".psf.tt0", imagename + ".psf")
    path = terms[0] if main.multiterm else terms[1]
    with casa.opened_table(path) as table:
        keywords = {name: table.getkeyword(name) for name in ("imageinfo", "miscinfo")}
    elsewhere = dataclasses.replace(config.with_absolute_paths(), fields=(main, *config.fields[1:]))
    names = (imagename, *(str(Path(field.imagename).absolute()) for field in config.fields[1:]))
    gridder = CasaGridder(tool_records(elsewhere, names), store=store)
    try:
        gridder.set_weighting()
        gridder.make_image("psf", imagename + ".psf")
    finally:
        gridder.close()
    with casa.opened_table(path, writable=True) as table:
        for name, value in keywords.items():
            table.putkeyword(name, value)
    with casa.tool("synthesisutils") as utilities:
        utilities.fitPsfBeam(
            imagename=imagename, nterms=main.nterms if main.multiterm else 1, psfcutoff=config.gridding.psfcutoff
        )
