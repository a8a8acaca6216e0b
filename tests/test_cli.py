"""The command line takes the task's parameters as options, and its exit status tells whether images are there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pcleantask import casa, cli, parameters, pclean
from pcleantask.version import __version__

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    casa.load()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    return tmp_path


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """parsed(*words) is what the task would be called with."""
    calls: list[dict[str, Any]] = []

    def image(values: dict[str, Any], *, as_json: bool) -> int:
        calls.append({**values, "as_json": True} if as_json else values)
        return 0

    monkeypatch.setattr(cli, "_image", image)

    def parse(*words: str) -> dict[str, Any]:
        assert cli.main(["image", *words]) == 0
        return calls[-1]

    return parse


def written(name: str, text: str) -> str:
    Path(name).write_text(text, encoding="utf-8")
    return "@" + name


def run(*words: str, folder: Path, command: tuple[str, ...] = ("-m", "pcleantask")) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, as a user calls it."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100"}
    return subprocess.run(
        [sys.executable, *command, *words],
        capture_output=True, text=True, timeout=180, cwd=folder, env=environment, check=False,
    )  # fmt: skip


@pytest.fixture
def help_text(capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as caught:
        cli.main(["image", "--help"])
    assert caught.value.code == 0
    return capsys.readouterr().out


def test_help_lists_the_parameters_under_the_headings_of_the_definition(help_text: str) -> None:
    headings = "|".join(map(re.escape, ["options", *parameters.groups()]))
    blocks = re.split(rf"^({headings}):\n", help_text, flags=re.MULTILINE)[1:]
    found = {blocks[i]: re.findall(r"^  --(\w+)", blocks[i + 1], flags=re.MULTILINE) for i in range(0, len(blocks), 2)}
    found.pop("options")
    expected = {title: [item.name for item in members] for title, members in parameters.groups().items()}
    assert found == expected
    assert list(found) == list(expected)
    assert sum(map(len, found.values())) == len(parameters.definitions()) > 90


def test_help_gives_default_choices_and_meaning_of_every_parameter(help_text: str) -> None:
    text = " ".join(help_text.split()).replace("auto- multithresh", "auto-multithresh")  # lines break at hyphens
    for item in parameters.definitions().values():
        assert f"(default: {item.default!r}" in text, item.name
        assert " ".join(item.short.split()) in text, item.name
        assert all(choice in text for choice in item.choices), item.name


def test_help_is_wrapped_and_its_usage_is_short(help_text: str) -> None:
    lines = help_text.splitlines()
    assert max(map(len, lines)) <= 100
    usage = help_text.partition("\n\n")[0]
    assert usage.count("\n") <= 1
    assert "--vis" in usage
    assert "--robust" not in usage


def test_every_parameter_has_an_option(parsed: Callable[..., dict[str, Any]]) -> None:
    for item in parameters.definitions().values():
        words = [str(entry) for entry in item.default] if isinstance(item.default, list) else [str(item.default)]
        assert parsed(f"--{item.name}", *words).keys() == {item.name}


@pytest.mark.parametrize(
    ("words", "values"),
    [
        ("--imsize 512", {"imsize": 512}),
        ("--imsize 640 480", {"imsize": [640, 480]}),
        ("--imsize 640,480", {"imsize": [640, 480]}),
        ("--imsize [640,480]", {"imsize": [640, 480]}),
        ("--cell 0.1arcsec", {"cell": "0.1arcsec"}),
        ("--cell 0.1arcsec 0.2arcsec", {"cell": ["0.1arcsec", "0.2arcsec"]}),
        ("--vis a.ms b.ms --field 0", {"vis": ["a.ms", "b.ms"], "field": "0"}),
        ("--scales 0 5 15", {"scales": [0, 5, 15]}),
        ("--scales 0", {"scales": 0}),
        ("--scales", {"scales": []}),
        ("--uvtaper 5klambda 3klambda 10deg", {"uvtaper": ["5klambda", "3klambda", "10deg"]}),
        ("--uvtaper 5klambda", {"uvtaper": ["5klambda"]}),
        ("--field", {"field": ""}),
        ("--pbcor", {"pbcor": True}),
        ("--pbcor True", {"pbcor": True}),
        ("--restart False --pbcor", {"restart": False, "pbcor": True}),
        ("--restart=no", {"restart": False}),
        ("--robust -0.5", {"robust": -0.5}),
        ("--robust -2", {"robust": -2.0}),
        ("--robust=-0.5", {"robust": -0.5}),
        ("--fusedthreshold -1e-3", {"fusedthreshold": -0.001}),
        ("--pblimit -.1", {"pblimit": -0.1}),
        ("--start -15km/s --width 2km/s", {"start": "-15km/s", "width": "2km/s"}),
        ("--nchan -1 --nmajor -1", {"nchan": -1, "nmajor": -1}),
        ("--threshold 5mJy", {"threshold": "5mJy"}),
        ("--threshold 0.005", {"threshold": 0.005}),
        ("--niter 10 --niter 20", {"niter": 20}),
        ("--json --niter 1", {"niter": 1, "as_json": True}),
    ],
)
def test_words_become_values_of_the_parameters_type(
    parsed: Callable[..., dict[str, Any]], words: str, values: dict[str, Any]
) -> None:
    found = parsed(*words.split())
    assert found == values
    assert {name: type(value) for name, value in found.items()} == {name: type(v) for name, v in values.items()}


def test_word_with_blanks_stays_one_value(parsed: Callable[..., dict[str, Any]]) -> None:
    mask = "circle[[40pix, 40pix], 10pix]"
    values = parsed("--mask", mask, "--phasecenter", "J2000 10h00m00.0s -25d00m00.0s", "--antenna", "!DA41")
    assert values == {"mask": mask, "phasecenter": "J2000 10h00m00.0s -25d00m00.0s", "antenna": "!DA41"}


def test_file_of_options_stands_for_its_words(parsed: Callable[..., dict[str, Any]]) -> None:
    file = written("options.txt", "# a comment\n--imsize 64 48  # behind a line\n--mask 'circle[[4pix, 4pix], 1pix]'\n")
    assert parsed("--niter", "5", file, "--robust", "1") == {
        "niter": 5, "imsize": [64, 48], "mask": "circle[[4pix, 4pix], 1pix]", "robust": 1.0,
    }  # fmt: skip


LAST = """taskname           = "tclean"
vis                =  'line.ms'
selectdata         =  True
cell               =  ['0.4arcsec']
niter              =  100
startmodel         =  ''
scales             =  []
#tclean( vis='line.ms',selectdata=True,cell=['0.4arcsec'],niter=100,startmodel='',scales=[] )
"""


def test_saved_tclean_last_is_taken_and_options_beside_it_win(parsed: Callable[..., dict[str, Any]]) -> None:
    expected = {
        "vis": "line.ms",
        "selectdata": True,
        "cell": ["0.4arcsec"],
        "niter": 100,
        "startmodel": "",
        "scales": [],
    }
    last = written("tclean.last", LAST)
    assert parsed(last) == expected
    assert parsed("--niter", "7", last) == parsed(last, "--niter", "7") == {**expected, "niter": 7}


def test_json_file_is_taken_and_options_beside_it_win(parsed: Callable[..., dict[str, Any]]) -> None:
    file = written("parameters.json", json.dumps({"niter": 5, "vis": ["a.ms", "b.ms"], "pbcor": True}))
    assert parsed(file, "--niter", "6") == {"niter": 6, "vis": ["a.ms", "b.ms"], "pbcor": True}


def test_last_file_that_casatasks_writes_is_read_whole(parsed: Callable[..., dict[str, Any]]) -> None:
    from casatasks.private.imagerhelpers.input_parameters import saveparams2last

    values = {
        **parameters.defaults(),
        "vis": ["a.ms", "b.ms"],
        "threshold": "1mJy",
        "mask": "circle[[4pix, 4pix], 1pix]",
    }

    @saveparams2last(multibackup=False)
    def tclean(**_parameters: Any) -> None:
        pass

    tclean(**values)
    assert parsed("@tclean.last") == values


GOOD = ("--imagename", "img", "--imsize", "48", "--cell", "0.4arcsec", "--niter", "20", "--fullsummary", "True")


def test_images_are_made_and_json_is_the_return_dictionary_of_the_task(folder: Path, line_ms: Path) -> None:
    done = run("image", "--vis", str(line_ms), *GOOD, "--json", folder=folder)
    assert done.returncode == 0, done.stderr
    assert Path("img.image").is_dir()
    values = {"vis": str(line_ms), "imsize": 48, "cell": "0.4arcsec", "niter": 20, "fullsummary": True}
    expected = pclean(imagename="again", **values)
    assert json.loads(done.stdout) == json.loads(json.dumps(expected, default=np.ndarray.tolist))
    assert json.loads(done.stdout)["iterdone"] == 20


def test_standard_output_is_empty_without_json_and_progress_is_on_standard_error(folder: Path, line_ms: Path) -> None:
    done = run("image", "--vis", str(line_ms), *GOOD, folder=folder)
    assert (done.returncode, done.stdout) == (0, "")
    assert "peak residual" in done.stderr


def test_command_runs_a_saved_file_and_images_only_a_psf_where_told(folder: Path, line_ms: Path) -> None:
    last = written(
        "pclean.last", f"taskname = 'pclean'\nvis = {str(line_ms)!r}\nimagename = 'psf'\ncell = '0.4arcsec'\n"
    )
    assert cli.main(["image", last, "--calcres", "False", "--restoration", "False"]) == 0
    assert Path("psf.psf").is_dir()
    assert not {"psf.residual", "psf.image"} & {path.name for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["--vis", "absent.ms"], cli.USAGE, "vis 'absent.ms' is not there"),
        (["--nitter", "5"], cli.USAGE, "'nitter'; did you mean 'niter'?"),
        (["--Robust=1"], cli.USAGE, "'Robust'; did you mean 'robust'?"),
        (["--niter", "5", "--xyzzy"], cli.USAGE, "no parameter 'xyzzy'"),
        (["--niter", "many"], cli.USAGE, "niter must be an integer, got 'many'"),
        (["--specmode", "cubes"], cli.USAGE, "did you mean 'cube'?"),
        (["--restart", "perhaps"], cli.USAGE, "restart must be True or False, got 'perhaps'"),
        (["@absent.txt"], cli.USAGE, "the file of options 'absent.txt' can't be read (No such file or directory)"),
    ],
)
def test_wrong_input_is_told_in_one_line_with_status_2(
    capsys: pytest.CaptureFixture[str], folder: Path, words: list[str], status: int, message: str
) -> None:
    assert cli.main(["image", *words]) == status == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = [line for line in captured.err.splitlines() if line.startswith("pclean: ")]
    assert len(lines) == 1
    assert message in lines[0]
    assert "Traceback" not in captured.err


@pytest.mark.parametrize("words", [["image", "stray.ms"], ["image", "-x"], ["imgae"], []])
def test_what_is_no_option_is_refused_with_the_usage(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(words)
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("usage: pclean")
    assert len(error.splitlines()) <= 3
    assert not words or repr(words[-1]) in error


def test_failure_while_imaging_has_status_1(line_ms: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["image", "--vis", str(line_ms), *GOOD, "--phasecenter", "nonsense"]) == cli.FAILED == 1
    assert "pclean: CASA failed while" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["--niter", "-1"],
        ["--field", "nobody"],
        ["--phasecenter", "nonsense"],
        ["--imagename", "file/img"],
        ["--specmode", "cube", "--nchan", "2", "--start", "10km/s", "--width", "1MHz"],
        ["--parallel", "True", "--nworkers", "2", "--phasecenter", "nonsense"],
    ],
)
def test_an_error_is_told_once_on_the_screen_and_once_in_the_log(line_ms: Path, folder: Path, words: list[str]) -> None:
    written("file", "")
    done = run("image", "--vis", str(line_ms), *GOOD, *words, folder=folder)
    assert done.returncode in (cli.FAILED, cli.USAGE)
    told = [line for line in done.stderr.splitlines() if line.startswith("pclean: ")]
    assert len(told) == 1
    said = told[0].removeprefix("pclean: ")
    assert done.stderr.count(said) == 1
    assert "Task pclean raised" not in done.stderr
    log = "".join(path.read_text(encoding="utf-8") for path in folder.glob("casa-*.log"))
    assert log.count("Task pclean raised an exception") == 1
    assert said in log


def test_output_that_cannot_be_written_has_status_1(line_ms: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written("file", "")
    assert cli.main(["image", "--vis", str(line_ms), *GOOD, "--imagename", "file/img"]) == cli.FAILED
    assert "is no folder that can be written" in capsys.readouterr().err


def test_interruption_has_status_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*_arguments: Any, **_options: Any) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_image", interrupted)
    assert cli.main(["image", "--niter", "1"]) == 130
    assert capsys.readouterr().err.startswith("pclean: interrupted; the same command goes on")


def test_module_and_script_are_the_same_command(folder: Path) -> None:
    version = f"pcleantask {__version__}\n"
    assert run("--version", folder=folder).stdout == version
    script = ("-c", "import sys; from pcleantask.cli import main; sys.exit(main())")
    assert run("--version", folder=folder, command=script).stdout == version
    setup = (ROOT / "setup.cfg").read_text(encoding="utf-8")
    assert "pclean = pcleantask.cli:main" in setup


def test_status_reaches_the_shell_and_nothing_is_left_behind(folder: Path) -> None:
    done = run("image", "--vis", "absent.ms", folder=folder)
    assert done.returncode == 2
    assert [path for path in folder.iterdir() if not re.fullmatch(r"casa-[\d-]+\.log", path.name)] == []
