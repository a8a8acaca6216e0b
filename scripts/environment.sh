# Sourced by scripts/demo, scripts/test and .ci/run: a virtual environment with this package in it.
#
#   use_environment EXTRAS [FOLDER]
#
# makes FOLDER (default: .venv in the repository) where it is missing, installs the package into it, editable, with
# EXTRAS (such as "data,plot"), and sets VENV_PYTHON. FOLDER/installed says what is in it, so that the next call takes
# no time unless the set-up files have changed or a new extra is asked for.
#
# PCLEANTASK_PYTHON in the environment names the Python to use; without it, the first suitable one on PATH is.

REPOSITORY="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"

fail() {
    echo "$(basename "$0"): $*" >&2
    exit 1
}

# python_fault PYTHON: prints why PYTHON can't be used, or nothing.
python_fault() {
    "$1" - <<'PYTHON' 2>/dev/null || echo "$1 can't be run"
import importlib.util as util
import sys

version = "{}.{}".format(*sys.version_info[:2])
if not (3, 10) <= sys.version_info[:2] <= (3, 13):
    print("{} is Python {}, and casatools exists for Python 3.10 to 3.13".format(sys.executable, version))
elif not (util.find_spec("venv") and util.find_spec("ensurepip")):
    print("{} lacks venv; on Debian and Ubuntu: apt-get install python{}-venv".format(sys.executable, version))
PYTHON
}

# find_python: prints a Python that can make the environment, or fails and says what is missing.
find_python() {
    local candidate fault faults=""
    for candidate in ${PCLEANTASK_PYTHON:-python3 python3.13 python3.12 python3.11 python3.10}; do
        command -v "$candidate" >/dev/null || continue
        fault="$(python_fault "$candidate")"
        [ -z "$fault" ] && { echo "$candidate"; return; }
        faults+=$'\n'"  $fault"
    done
    fail "needs Python 3.10 to 3.13 with venv (on Debian and Ubuntu: apt-get install python3 python3-venv)." \
        "Looked at:${faults:- nothing, as no ${PCLEANTASK_PYTHON:-python3} is on PATH}"
}

# missing_extras HAVE WANTED: prints each of WANTED that is not among HAVE; both are lists with commas.
missing_extras() {
    local extra
    for extra in ${2//,/ }; do
        [[ ",$1," == *",$extra,"* ]] || echo "$extra"
    done
}

use_environment() {
    local wanted="$1" folder="${2:-$REPOSITORY/.venv}" python state have="" old=""
    VENV_PYTHON="$folder/bin/python"
    state="$(cd "$REPOSITORY" && cat setup.cfg setup.py scripts/generate_task.py xml/pclean.xml | sha256sum)"

    mkdir -p "$folder"
    exec 9<"$folder"
    ! command -v flock >/dev/null || flock 9  # two scripts started at once: one installs, the other waits
    [ ! -f "$folder/installed" ] || { read -r old && read -r have; } <"$folder/installed"
    if [ "$old" = "$state" ] && [ -z "$(missing_extras "$have" "$wanted")" ] && "$VENV_PYTHON" -c '' 2>/dev/null; then
        exec 9<&-
        return
    fi

    rm -f "$folder/installed"
    if ! "$VENV_PYTHON" -m pip --version >/dev/null 2>&1; then
        have=""
        python="$(find_python)" || exit 1
        echo "Making $folder with $("$python" --version); the first time some 1.3 GB are downloaded." >&2
        "$python" -m venv --clear "$folder" || fail "no virtual environment could be made in $folder"
        echo '*' >"$folder/.gitignore"
    fi
    wanted="$(echo "$have,$wanted" | tr ',' '\n' | sed '/^$/d' | sort -u | paste -sd,)"
    "$VENV_PYTHON" -m pip install --quiet --disable-pip-version-check --use-pep517 \
        --editable "$REPOSITORY[$wanted]" || fail "the installation into $folder failed; pip's message is above"
    printf '%s\n%s\n' "$state" "$wanted" >"$folder/installed"
    exec 9<&-
}
