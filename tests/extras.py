"""Install the wheel bare and with each extra alone: ``python tests/extras.py``.

Fresh environments, from the registry, so this is no test of the suite: ``make extras``. Each
runs `tests/smoke.py`. ``--pythons`` names other Pythons to try, ``--extras`` fewer extras.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
SMOKE = ROOT / "tests" / "smoke.py"
HOOK = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"


def wheel(folder: Path) -> Path:
    """The wheel of this tree."""
    command = [sys.executable, "-c", HOOK, str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return folder / done.stdout.split()[-1]


def interpreter(environment: Path) -> Path:
    """The Python of an environment, on every system."""
    where = ("Scripts", "python.exe") if sys.platform == "win32" else ("bin", "python")
    return environment.joinpath(*where)


def check(python: str, what: Path, extra: str, folder: Path) -> bool:
    """Install into a fresh environment and run the smoke check there."""
    environment = folder / extra
    if Path(python) == Path(sys.executable):
        venv.create(environment, with_pip=True)
    else:
        subprocess.run([python, "-m", "venv", str(environment)], check=True)
    own = interpreter(environment)
    wanted = str(what) if extra == "bare" else f"{what}[{extra}]"
    quiet = ["--quiet", "--disable-pip-version-check"]
    subprocess.run([own, "-m", "pip", "install", *quiet, wanted], check=True, cwd=folder)
    return subprocess.run([own, SMOKE, extra], cwd=folder, check=False).returncode == 0


def main() -> int:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    every = ["bare", *project["optional-dependencies"]]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pythons", nargs="*", default=[sys.executable])
    parser.add_argument("--extras", nargs="*", default=every, choices=every)
    asked = parser.parse_args()
    failed = []
    for python in asked.pythons:
        print(python, flush=True)
        for extra in asked.extras:
            with tempfile.TemporaryDirectory() as name:
                if not check(python, wheel(Path(name)), extra, Path(name)):
                    failed.append(f"{extra} on {python}")
    print("failed: " + ", ".join(failed) if failed else "every extra works on its own")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
