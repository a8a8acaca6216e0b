"""Image the neutral hydrogen of the galaxy NGC 5921: real data of the VLA, from the FITS file to the figure.

The data (21 cm line, D array, 13 April 1995) come with CASA. They are calibrated by the classic recipe, the continuum
is subtracted, and the line is imaged by `pclean` with the parameters that `tclean` would get.

Usage: python scripts/demo_ngc5921.py [OUTPUT_FOLDER]        (default: demo_output)
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from demo_figure import LineCube, draw, integrated_flux, read_cube

from pcleantask import casa, pclean

PREFIX = "ngc5921_demo"  # of every file that the demo writes
RAW, CALIBRATED, LINE = (f"{PREFIX}{suffix}" for suffix in (".ms", "_calibrated.ms", "_line.ms"))
PHASES, BANDPASS, GAINS, FLUXES = (f"{PREFIX}.{name}" for name in ("phases", "bandpass", "gains", "fluxes"))
IMAGE = f"{PREFIX}_cube"
FITS, FIGURE, LOG = (f"{PREFIX}.{kind}" for kind in ("fits", "png", "log"))

FLUX_CALIBRATOR, PHASE_CALIBRATOR, GALAXY = "1331+305*", "1445+099*", "N5921*"
CENTRE = ("15:21:56.5", "+05.04.14")  # of the galaxy in visible light, J2000
REFERENCE_ANTENNA = "VA15"
INNER_CHANNELS = "0:6~56"  # without the edges of the band
LINE_FREE_CHANNELS = "0:4~6;50~59"

IMAGING: dict[str, Any] = {  # tclean's parameters
    "specmode": "cube",
    "start": 5,
    "nchan": 46,
    "restfreq": "1420.405752MHz",
    "imsize": 256,
    "cell": "15arcsec",
    "weighting": "briggs",
    "robust": 0.5,
    "restoringbeam": "common",
    "usemask": "auto-multithresh",
    "niter": 100_000,
    "threshold": "8mJy",
    "pbcor": True,
}


@contextlib.contextmanager
def step(title: str, reports: bool = False) -> Iterator[None]:
    """Say what is being done, and how long it took; with `reports`, it writes lines of its own in between."""
    print(f"  {title}:\n" if reports else f"  {title:.<58s} ", end="", flush=True)
    begin = time.perf_counter()
    yield
    print(f"  {'':.<58s} " if reports else "", end="")
    print(f"{time.perf_counter() - begin:6.1f} s", flush=True)


@contextlib.contextmanager
def warnings_in_log_only() -> Iterator[None]:
    """CASA writes each warning to its log and to stderr, whatever it is told; keep the latter off the terminal."""
    terminal = os.dup(2)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)


def prepare_folder(folder: Path) -> None:
    """Go to the output folder and remove what an earlier demo left there, and nothing else."""
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    for old in Path().glob(f"{PREFIX}*"):
        if old.is_dir() and not old.is_symlink():
            shutil.rmtree(old)
        else:
            old.unlink()


def load_casatasks() -> ModuleType:
    """CASA's tasks, with the data set up and the log in the output folder."""
    from casaconfig import config

    config.logfile = str(Path(LOG).resolve())
    casa.load()
    import casatasks

    return casatasks


def find_observation() -> str:
    """The path of NGC5921.fits in CASA's data."""
    path = casa.load().ctsys.resolve("demo/NGC5921.fits")
    if not Path(path).is_file():
        raise SystemExit("CASA's data have no demo/NGC5921.fits; pip install 'pcleantask[data]' brings it")
    return path


def import_data(tasks: ModuleType) -> None:
    """UVFITS to MeasurementSet, without the autocorrelations."""
    tasks.importuvfits(fitsfile=find_observation(), vis=RAW, antnamescheme="new")
    tasks.flagdata(vis=RAW, mode="manual", autocorr=True)


def calibrate(tasks: ModuleType) -> None:
    """Bandpass and flux scale from 3C 286 (1331+305), gains with time from 1445+099."""
    reference = {"refant": REFERENCE_ANTENNA}
    tasks.setjy(vis=RAW, field=FLUX_CALIBRATOR, standard="Perley-Butler 2017", model="3C286_L.im")
    tasks.gaincal(
        vis=RAW, caltable=PHASES, field=FLUX_CALIBRATOR, spw=INNER_CHANNELS, solint="int", calmode="p", **reference
    )
    tasks.bandpass(vis=RAW, caltable=BANDPASS, field=FLUX_CALIBRATOR, solint="inf", gaintable=[PHASES], **reference)
    tasks.gaincal(
        vis=RAW,
        caltable=GAINS,
        field=f"{FLUX_CALIBRATOR},{PHASE_CALIBRATOR}",
        spw=INNER_CHANNELS,
        solint="inf",
        gaintable=[BANDPASS],
        **reference,
    )
    tasks.fluxscale(vis=RAW, caltable=GAINS, fluxtable=FLUXES, reference=FLUX_CALIBRATOR, transfer=PHASE_CALIBRATOR)
    tasks.applycal(
        vis=RAW,
        field=GALAXY,
        gaintable=[FLUXES, BANDPASS],
        gainfield=[PHASE_CALIBRATOR, FLUX_CALIBRATOR],
        interp=["linear", "nearest"],
        calwt=False,
    )


def subtract_continuum(tasks: ModuleType) -> None:
    """The galaxy alone, less a constant fitted to the line-free channels of each visibility."""
    tasks.split(vis=RAW, outputvis=CALIBRATED, field=GALAXY, datacolumn="corrected")
    tasks.uvcontsub(vis=CALIBRATED, outputvis=LINE, fitspec=LINE_FREE_CHANNELS, fitorder=0)


def image_line() -> dict:
    """Image and clean the line."""
    return pclean(vis=LINE, imagename=IMAGE, **IMAGING)


def export(tasks: ModuleType) -> LineCube:
    """Write the FITS cube and the figure."""
    tasks.exportfits(imagename=f"{IMAGE}.image.pbcor", fitsimage=FITS)
    cube = read_cube(IMAGE, CENTRE)
    draw(cube, Path(FIGURE), f"NGC 5921: neutral hydrogen, 21 cm, VLA D array; offsets from {' '.join(CENTRE)} (J2000)")
    return cube


def main() -> None:
    """The recipe."""
    parser = argparse.ArgumentParser(description="Image the hydrogen of NGC 5921 from raw VLA data.")
    parser.add_argument("folder", nargs="?", type=Path, default=Path("demo_output"), help="output folder")
    folder = parser.parse_args().folder.resolve()

    begin = time.perf_counter()
    prepare_folder(folder)
    print(f"NGC 5921: hydrogen line, VLA, 13 April 1995; output in {folder}")
    with step("load CASA"):
        tasks = load_casatasks()
    with warnings_in_log_only():
        with step("import the visibilities, flag autocorrelations"):
            import_data(tasks)
        with step("calibrate"):
            calibrate(tasks)
        with step("subtract the continuum"):
            subtract_continuum(tasks)
    with step("image the line with pclean: 46 channels of 256 x 256", reports=True):
        summary = image_line()
    with step("write the FITS cube and the figure"):
        cube = export(tasks)

    print(f"Cleaned {summary['iterdone']} components in {summary['nmajordone']} major cycles: ", end="")
    print(f"{summary['stopDescription']}.")
    print(f"Peak {1e3 * cube.intensity.max():.1f} mJy/beam, noise {1e3 * cube.rms:.2f} mJy/beam, ", end="")
    print(f"line flux {integrated_flux(cube):.1f} Jy km/s; {time.perf_counter() - begin:.0f} s in all.")
    print(f"Look at {FIGURE}; the cube is {FITS}, CASA's images are {IMAGE}.*, its log is {LOG}.")


if __name__ == "__main__":
    main()
