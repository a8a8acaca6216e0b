"""SerialImager's products: who makes them, when they take their names, and that a run that fails leaves no trace.

That `run` gives tclean's images is the claim of tests/agreement; here the run is the reference.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pcleantask import PcleanConfig, SerialImager, casa, report
from pcleantask.errors import ImagingError, OutputError
from pcleantask.images.planes import read_plane
from pcleantask.imaging.iteration import IterationControl
from pcleantask.toolrecords import to_casa_iterpars
from tests.agreement.cases import AUTO, CUBE, MFS
from tests.agreement.compare import compare_products, differences, peak, products

Parameters = dict[str, Any]

SMALL = {"imsize": 64, "niter": 60, "cycleniter": 20, "pbcor": True}
SMALL_MFS = {**MFS, **SMALL}
SMALL_CUBE = {**CUBE, **SMALL, "nchan": 3, "start": "230.002GHz"}
SMALL_AUTO = {**SMALL_CUBE, **AUTO, "nsigma": 3.0}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dataset: Callable[[str], Path]) -> Path:
    """The working folder, with the data as continuum.ms and line.ms."""
    monkeypatch.chdir(tmp_path)
    for name in ("continuum", "line"):
        (tmp_path / f"{name}.ms").symlink_to(dataset(name))
    return tmp_path


def config_of(imagename: str, base: Parameters = SMALL_MFS, **changes: Any) -> PcleanConfig:
    return PcleanConfig.from_parameters(**{**base, "imagename": imagename, **changes})


def run(imagename: str, base: Parameters = SMALL_MFS, **changes: Any) -> Parameters:
    """A whole run with those parameters; its return dictionary."""
    with SerialImager(config_of(imagename, base, **changes)) as imager:
        return imager.run()


def digests(folder: Path, imagename: str) -> dict[str, str]:
    """Digest of each file of each product: equal only where nothing has been written to them."""
    paths = [path for product in products(folder, imagename).values() for path in sorted(product.rglob("*"))]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths if path.is_file()}


@pytest.mark.parametrize("base", [SMALL_MFS, SMALL_AUTO], ids=["mfs", "cube-automask-nsigma"])
@pytest.mark.parametrize("sees_to_masks", [False, True])
def test_iteration_control_from_outside_equals_run(folder: Path, base: Parameters, sees_to_masks: bool) -> None:
    expected = run("whole", base)
    config = config_of("outside", base)
    with SerialImager(config, init_iter_control=False) as imager:
        imager.setup()
        control = IterationControl(to_casa_iterpars(config, ("outside",)))
        imager.make_psf()
        imager.make_pb()
        imager.run_major_cycle(is_first=True, last=control.is_last_major_cycle())
        control.end_major_cycle(is_first=True)
        if sees_to_masks:
            control.converged(imager.init_records())
            imager.update_masks()
        while not control.converged(imager.init_records()):
            imager.run_minor_cycle(control.start_minor_cycle())
            assert control.end_minor_cycle(imager.exec_records)
            imager.run_major_cycle(last=control.is_last_major_cycle())
            control.end_major_cycle(is_first=False)
            if sees_to_masks:
                imager.update_masks()
        imager.revert_masks()
        imager.restore()
        imager.pbcor()
        found = report.clean_summary(control.summary())
        control.close()
    assert expected["iterdone"] > 0
    assert list(differences(expected, found)) == []
    assert compare_products(products(folder, "whole"), products(folder, "outside")) == []


def test_without_iteration_control_of_its_own_run_is_refused(folder: Path) -> None:
    with (
        pytest.raises(ImagingError, match="init_iter_control=False"),
        SerialImager(config_of("img"), init_iter_control=False) as imager,
    ):
        imager.run()
    assert products(folder, "img") == {}


def test_nmajor_limit_counts_major_cycles_after_first_residual() -> None:
    with SerialImager(config_of("img")) as imager:
        imager.setup()
        imager.make_psf()
        imager.make_pb()
        imager.run_major_cycle(is_first=True)
        imager.update_masks()
        assert not imager.has_converged()
        assert not imager.has_converged(nmajor_limit=1)
        assert imager.has_converged(nmajor_limit=0)
        assert imager.stop_code == 9
    with SerialImager(config_of("img")) as imager:
        imager.setup()
        imager.make_psf()
        imager.make_pb()
        imager.run_major_cycle(is_first=True)
        imager.update_masks()
        assert not imager.has_converged(nmajor_limit=1)
        assert imager.run_minor_cycle()
        imager.run_major_cycle()
        imager.update_masks()
        assert not imager.has_converged(nmajor_limit=2)
        assert imager.has_converged(nmajor_limit=1)
        assert imager.stop_code == 9


STEPS = ["make_psf", "make_pb", "run_major_cycle", "update_masks", "run_minor_cycle", "init_records", "has_converged"]
STEPS += ["revert_masks", "predict_model", "restore", "pbcor"]


@pytest.mark.parametrize("step", STEPS)
def test_step_before_setup_raises_and_says_so(folder: Path, step: str) -> None:
    imager = SerialImager(config_of("img"))
    with pytest.raises(ImagingError, match=f"{step} can't run.*call setup first"):
        getattr(imager, step)()
    imager.teardown()
    assert products(folder, "img") == {}


def test_steps_after_teardown_and_second_setup_raise(folder: Path) -> None:
    imager = SerialImager(config_of("img", niter=0))
    imager.setup()
    with pytest.raises(ImagingError, match="set up already"):
        imager.setup()
    imager.teardown()
    with pytest.raises(ImagingError, match="call setup first"):
        imager.make_psf()


def test_imager_can_be_used_again_after_teardown(folder: Path) -> None:
    imager = SerialImager(config_of("img", SMALL_CUBE, **AUTO, restart=True))
    first = imager.run()
    imager.teardown()
    before = {suffix: path.rename(folder / f"first{suffix}") for suffix, path in products(folder, "img").items()}
    second = imager.run()
    imager.teardown()
    assert first["iterdone"] > 0
    assert list(differences(first, second)) == []
    assert compare_products(before, products(folder, "img")) == []


def test_teardown_twice_is_harmless(folder: Path) -> None:
    imager = SerialImager(config_of("img"))
    imager.run()
    imager.teardown()
    made = digests(folder, "img")
    imager.teardown()
    assert len(made) > 20
    assert digests(folder, "img") == made
    with SerialImager(config_of("never_set_up")) as unused:
        unused.teardown()
    assert products(folder, "never_set_up") == {}


def test_work_folder_is_there_during_run_and_gone_after_success(folder: Path) -> None:
    work = folder / "img.workdirectory"
    with SerialImager(config_of("img")) as imager:
        imager.run()
        assert (work / "img.image").is_dir()
        assert products(folder, "img").keys() == {".workdirectory"}
    assert not work.exists()
    assert {".image", ".model", ".psf"} < products(folder, "img").keys()


def mark(path: Path, value: int) -> None:
    with casa.opened_image(str(path)) as image:
        image.setmiscinfo({**image.miscinfo(), "mark": value})


def marked(path: Path) -> int | None:
    with casa.opened_image(str(path)) as image:
        return image.miscinfo().get("mark")


@pytest.mark.parametrize("base", [SMALL_MFS, SMALL_CUBE], ids=["mfs", "cube"])
def test_restart_goes_on_from_images_on_disk(folder: Path, base: Parameters) -> None:
    """The dirty images first, then the clean on them: the same as at one go, and the PSF isn't made again."""
    run("once", base)
    run("twice", base, niter=0, restoration=False, pbcor=False)
    dirty = peak(folder / "twice.residual")
    mark(folder / "twice.psf", 7)
    run("twice", base, calcpsf=False, calcres=False)
    assert marked(folder / "twice.psf") == 7
    assert peak(folder / "once.residual") < 0.5 * dirty
    mark(folder / "once.psf", 7)
    assert compare_products(products(folder, "once"), products(folder, "twice")) == []


def test_restart_adds_to_model_of_run_before(folder: Path) -> None:
    run("img", niter=5)
    first = read_plane("img.model", 0, 0)
    residual = peak(folder / "img.residual")
    run("img", niter=5, calcpsf=False, calcres=False)
    second = read_plane("img.model", 0, 0)
    assert first.sum() > 0
    assert (second >= first).all()
    assert second.sum() > 1.05 * first.sum()
    assert peak(folder / "img.residual") < residual


def test_without_restart_names_are_counted_and_former_products_left_alone(folder: Path) -> None:
    run("img", niter=5)
    former = digests(folder, "img")
    for name in ("img_2", "img_3"):
        run("img", niter=20, restart=False)
        assert peak(folder / f"{name}.model") > 0
    assert digests(folder, "img") == former
    assert sorted({path.name.split(".")[0] for path in folder.glob("img*")}) == ["img", "img_2", "img_3"]


def test_names_are_counted_when_a_run_begins(folder: Path) -> None:
    imagers = [SerialImager(config_of("img", niter=niter, restart=False)) for niter in (5, 20)]
    made = {}
    for imager in (*imagers, imagers[0]):
        with imager:
            imager.run()
        made |= {name: digests(folder, name) for name in ("img", "img_2", "img_3") if name not in made}
        made = {name: found for name, found in made.items() if found}
        assert {name: digests(folder, name) for name in made} == made
    assert made.keys() == {"img", "img_2", "img_3"}
    assert peak(folder / "img_2.residual") < peak(folder / "img_3.residual")


def break_by_loss_of_residual(imager: SerialImager) -> None:
    imager.setup()
    imager.make_psf()
    imager.make_pb()
    imager.run_major_cycle(is_first=True)
    for part in Path("img.workdirectory/img.residual").glob("table.*"):
        part.write_bytes(b"")
    imager.has_converged()


def break_by_user(imager: SerialImager) -> None:
    imager.run()
    raise ImportError("of the user's script")


def break_by_interrupt(imager: SerialImager) -> None:
    imager.setup()
    imager.make_psf()
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("fail", "restart"),
    [(break_by_loss_of_residual, True), (break_by_interrupt, True), (break_by_user, True), (break_by_user, False)],
)
def test_products_of_former_run_survive_failing_run_bit_for_bit(
    folder: Path, fail: Callable[[SerialImager], None], restart: bool
) -> None:
    run("img", niter=5)
    former = digests(folder, "img")
    with (
        pytest.raises((ImagingError, ImportError, KeyboardInterrupt)),
        SerialImager(config_of("img", niter=40, restart=restart)) as imager,
    ):
        fail(imager)
    kept = {path: digest for path, digest in digests(folder, "img").items() if ".workdirectory" not in path}
    assert len(kept) > 20
    assert kept == former
    assert sorted(path.name for path in folder.glob("img_2*")) == ([] if restart else ["img_2.workdirectory"])


def test_casa_error_in_a_step_names_work_folder_once(folder: Path) -> None:
    with pytest.raises(ImagingError) as caught, SerialImager(config_of("img")) as imager:
        break_by_loss_of_residual(imager)
    text = str(caught.value)
    assert "reading the residual" in text
    assert text.count("img.workdirectory'") == 1


def test_failing_setup_leaves_nothing(folder: Path) -> None:
    with (
        pytest.raises(ImagingError, match="nonsense"),
        SerialImager(config_of("deep/img", phasecenter="nonsense")) as imager,
    ):
        imager.run()
    assert [path.name for path in folder.iterdir() if path.name.startswith("deep")] == []


def test_work_folder_of_running_process_is_refused_and_left_alone(folder: Path) -> None:
    """Found as a bug: the second run's cleaning up removed the first run's folder."""
    work = folder / "img.workdirectory"
    with SerialImager(config_of("img")) as imager:
        imager.setup()
        imager.make_psf()
        script = (
            "import sys; from pcleantask import PcleanConfig, SerialImager;"
            "SerialImager(PcleanConfig.from_parameters(**eval(sys.argv[1]))).run()"
        )
        other = subprocess.run(
            [sys.executable, "-c", script, repr({**SMALL_MFS, "imagename": "img"})],
            env={"PYTHONPATH": str(Path(casa.__file__).parents[1]), "HOME": str(folder)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert other.returncode == 1
        assert "is imaging under that name" in other.stderr.splitlines()[-1]
        assert OutputError.__name__ in other.stderr.splitlines()[-1]
        assert (work / "img.psf" / "table.dat").is_file()
        imager.make_pb()
        imager.run_major_cycle(is_first=True)
    assert peak(folder / "img.residual") > 0.5
