"""What rows need in their folders besides the data of conftest.DATASETS: made by CASA's tools, in a folder each."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from pcleantask import casa

URANUS = "ephemerides/JPL-Horizons/Uranus_59214-62866dUTC_J2000.tab"
INTENTS = ("OBSERVE_TARGET#ON_SOURCE", "CALIBRATE_PHASE#ON_SOURCE")


def ephemeris_table(folder: Path) -> None:
    """Uranus' ephemeris table as uranus.tab, which says that it is in J2000: CASA takes tables for apparent places."""
    path = str(folder / "uranus.tab")
    shutil.copytree(casa.load().ctsys.resolve(URANUS), path)
    with casa.opened_table(path, writable=True) as table:
        table.putkeyword("posrefsys", "J2000")


def tracked_field(folder: Path) -> None:
    """planet.ms follows Uranus: its field has the ephemeris, and directions that are offsets from it."""
    ephemeris_table(folder)
    vis = folder / "planet.ms"
    with casa.opened_table(str(vis)) as table:
        start = table.getcol("TIME").min()
    with casa.tool("ms") as ms:
        ms.open(str(vis), nomodify=False)
        ms.addephemeris(0, str(folder / "uranus.tab"), "Uranus", "0")
    with casa.opened_table(f"{vis}/FIELD", writable=True) as table:
        for column in ("DELAY_DIR", "PHASE_DIR", "REFERENCE_DIR"):
            table.putcol(column, np.zeros_like(table.getcol(column)))
        table.putcol("TIME", np.full(table.nrows(), start))
    shutil.rmtree(folder / "uranus.tab")


def dishes_of_two_sizes(folder: Path) -> None:
    """Every other antenna of mosaic.ms has a dish of 7 m."""
    with casa.opened_table(str(folder / "mosaic.ms" / "ANTENNA"), writable=True) as table:
        diameters = table.getcol("DISH_DIAMETER")
        diameters[1::2] = 7.0
        table.putcol("DISH_DIAMETER", diameters)


def sessions(folder: Path) -> None:
    """In these data sets each integration is a scan, odd ones have another intent and another observation."""
    for name in ("line.ms", "late.ms", "filled.ms"):
        vis = folder / name
        if vis.is_dir():
            _add_rows(f"{vis}/STATE", 1)
            _add_rows(f"{vis}/OBSERVATION", 1)
            with casa.opened_table(f"{vis}/STATE", writable=True) as table:
                table.putcol("OBS_MODE", np.array(INTENTS))
            with casa.opened_table(str(vis), writable=True) as table:
                times = table.getcol("TIME")
                number = np.searchsorted(np.unique(times), times)
                table.putcol("SCAN_NUMBER", number + 1)
                table.putcol("STATE_ID", number % 2)
                table.putcol("OBSERVATION_ID", number % 2)


def flagged_session(folder: Path) -> None:
    """All rows of late.ms are flagged."""
    with casa.opened_table(str(folder / "late.ms"), writable=True) as table:
        table.putcol("FLAG", np.ones_like(table.getcol("FLAG")))


def _add_rows(path: str, count: int) -> None:
    """Add copies of the first row."""
    with casa.opened_table(path, writable=True) as table:
        for _ in range(count):
            table.copyrows(path, nrow=1)


def voltage_pattern(folder: Path) -> None:
    """A Gaussian primary beam of 20 arcsec at half power (at 1 GHz ~ 1 / frequency), as beams.tab."""
    manager = casa.load().vpmanager()
    manager.reset()
    manager.setpbgauss(
        telescope="ALMA", othertelescope="", dopb=True, halfwidth="4600arcsec", maxrad="9deg", reffreq="1GHz",
        isthispb="PB",
    )  # fmt: skip
    manager.saveastable(str(folder / "beams.tab"))
    manager.reset()


def mask_image(
    folder: Path, name: str, *, frame: str = "J2000", centre: tuple[str, str] = ("10h00m00.0s", "-25d00m00.0s"),
    size: int = 100, cell: str = "0.4arcsec", radius: float = 6.0, at: tuple[float, float] = (50.0, 50.0),
    channels: tuple[str, str, int] = ("230GHz", "40GHz", 1), frequencies: str = "LSRK", stokes: str = "I",
    in_pixel_mask: bool = False,
) -> None:  # fmt: skip
    """An image that is 1 in a disc around the pixel `at`; or 1 all over, with the disc as its T/F pixel mask.

    `channels` are first frequency, width and number. The disc is in all of them, but in a cube not in the first two.
    """
    with casa.tool("coordsys") as system, casa.tool("image") as image:
        system.newcoordsys(direction=True, spectral=True, stokes=[stokes])
        system.setreferencecode(frame, "direction")
        system.setreferencevalue(list(centre), "direction")
        system.setreferencepixel([size // 2, size // 2], "direction")
        system.setincrement([f"-{cell}", cell], "direction")
        system.setreferencecode(frequencies, "spectral")
        system.setreferencevalue(channels[0], "spectral")
        system.setreferencepixel([0], "spectral")
        system.setincrement(channels[1], "spectral")
        system.setobserver("nobody")
        system.settelescope("ALMA")
        x, y = np.arange(size)[:, None], np.arange(size)
        pixels = np.zeros((size, size, 1, channels[2]))
        pixels[np.hypot(x - at[0], y - at[1]) <= radius] = 1.0
        if channels[2] > 1:
            pixels[..., :2] = 0.0
        path = str(folder / name)
        image.fromarray(path, np.ones_like(pixels) if in_pixel_mask else pixels, csys=system.torecord())
        if in_pixel_mask:
            image.putregion(pixelmask=pixels > 0)


def outlier_mask(folder: Path) -> None:
    """A mask for the field of OUTLIERS, as far.mask."""
    mask_image(folder, "far.mask", centre=("10h00m50.4s", "34d44m50.0s"), size=30, cell="20arcsec",
               at=(15.0, 15.0), channels=("1.4GHz", "4MHz", 1))  # fmt: skip


def masks_in_many_forms(folder: Path) -> None:
    """Masks as images: on other grids, in another frame, T/F, of two parts, flat; and as region files of CASA's own."""
    mask_image(folder, "plain.mask")
    mask_image(folder, "coarse.mask", size=40, cell="1.1arcsec", radius=3.0, at=(20.0, 20.0))
    mask_image(folder, "icrs.mask", frame="ICRS")
    mask_image(folder, "tf.mask", in_pixel_mask=True)
    mask_image(folder, "cube.mask", channels=("229.999GHz", "1MHz", 6))
    mask_image(folder, "coarse_cube.mask", channels=("229.997GHz", "2MHz", 6))
    for name, start in (("low.mask", "229.999GHz"), ("high.mask", "230.002GHz")):
        mask_image(folder, name, channels=(start, "1MHz", 3))
    with casa.tool("image") as image:
        parts = [str(folder / name) for name in ("low.mask", "high.mask")]
        image.imageconcat(str(folder / "concat.mask"), parts, axis=3, relax=True).done()
    with casa.opened_image(str(folder / "plain.mask")) as image:
        image.subimage(str(folder / "flat.mask"), dropdeg=True).done()
    region_files(folder)


def region_files(folder: Path) -> None:
    """Boxes in CASA's own region files: box.rgn in the sky, channels.rgn in some channels of a cube."""
    for name, low, high in (("box.rgn", [44, 44], [56, 56]), ("channels.rgn", [44, 44, 0, 1], [56, 56, 0, 3])):
        with casa.opened_image(str(folder / "cube.mask")) as image:
            system = image.coordsys()
            record = system.torecord()
            system.done()
        with casa.tool("regionmanager") as regions:
            box = regions.wbox([f"{value}pix" for value in low], [f"{value}pix" for value in high],
                               list(range(len(low))), csys=record)  # fmt: skip
            regions.tofile(str(folder / name), box)
