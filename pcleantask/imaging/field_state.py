"""What a checkpoint keeps of an image field between a minor cycle and the major cycle after it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from ..images.information import MISCINFO, keywords, put_information, scale_memory
from ..images.making import make_product
from ..images.products import products
from ..images.saved_planes import PlaneKey, SavedPlanes, save_planes
from ..images.store import ImageStore, Key, Pixels, StoredImage

MODEL, MASK = "model", "mask"


class Knowing(Protocol):
    """What knows something of a field that isn't in its images."""

    def facts(self, first: int, own: range | None) -> dict[str, Any]:
        """What it knows, fit for `records.to_json`; for the parameters see `save_field`."""

    def recall(self, found: list[dict[str, Any]], first: int) -> None:
        """Know what others have known of all channels of the cube."""


def save_field(
    path: str, store: ImageStore, imagename: str, deconvolver: Knowing, mask: Knowing, first: int, own: range | None
) -> None:
    """Write a field's models, its mask where that isn't made anew from parameters, and what its parts know.

    Parameters
    ----------
    first : int
        Which channel of the whole cube the images' first is.
    own : range or None
        The images' channels that are nobody else's; None for all.
    """
    known = [part.facts(first, own) for part in (deconvolver, mask)]
    kinds = (MODEL, MASK) if known[1] else (MODEL,)
    images = {
        found.name.removeprefix(Path(imagename).name + "."): store.image(str(found))
        for found, kind in list(products(imagename))
        if kind in kinds
    }
    told = {suffix: {**keywords(image.path), "nchan": image.shape[3]} for suffix, image in images.items()}
    save_planes(path, _planes(images, first, own), {"deconvolver": known[0], "mask": known[1], "told": told})


def _planes(images: Mapping[str, StoredImage], first: int, own: range | None) -> Iterator[tuple[PlaneKey, Pixels]]:
    for suffix, image in images.items():
        for chan, pol in image.keys:
            if own is None or chan in own:
                yield PlaneKey(suffix, first + chan, pol), image.plane(chan, pol)


def load_field(
    paths: list[str], store: ImageStore, imagename: str, deconvolver: Knowing, mask: Knowing, first: int
) -> None:
    """Make a field's models and mask of files that `save_field` has written, and let its parts know what they hold."""
    saved = SavedPlanes(paths)
    for suffix in sorted({key.suffix for key in saved.keys}):
        made = make_product(imagename, suffix, unit="Jy/pixel" if suffix.startswith(MODEL) else "")
        image = store.image(made)
        image.fill(0.0)
        planes: dict[Key, Pixels] = {}
        size = image.shape[3]
        for key in saved.keys:
            if key.suffix == suffix and 0 <= key.chan - first < size:
                planes[key.chan - first, key.pol] = saved.plane(key)
        image.put(planes)
        image.flush()
        told = saved.facts[0]["told"][suffix]
        scale_memory(told[MISCINFO], told["nchan"], size)
        put_information(image.path, told)
    deconvolver.recall([facts["deconvolver"] for facts in saved.facts], first)
    if all(facts["mask"] for facts in saved.facts):
        mask.recall([facts["mask"] for facts in saved.facts], first)
