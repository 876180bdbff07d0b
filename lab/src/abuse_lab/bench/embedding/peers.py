"""The environment in which peers and client are measured, and what of it could be had."""

import subprocess
import sys
from pathlib import Path

from abuse_lab.bench.embedding.subjects import NEEDS

ROOT = Path(__file__).parents[5]
INSTALL_SECONDS = 900


class NoEnvironment(RuntimeError):
    """an environment of peers could not be made"""


def make_environment(name: str = "peers") -> Path:
    """The interpreter of ``.venv-NAME``, made from ``requirements/NAME.txt`` at first. Raises `NoEnvironment`."""
    environment = ROOT / f".venv-{name}"
    python = environment / "bin" / "python"
    wanted = ROOT / "requirements" / f"{name}.txt"
    stamp = environment / ".set-up"
    if stamp.exists() and stamp.stat().st_mtime >= wanted.stat().st_mtime:
        return python
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    for command in ([sys.executable, "-m", "venv", str(environment)], [*pip, "-r", str(wanted)]):
        made = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
        if made.returncode:
            raise NoEnvironment(f"{' '.join(command[1:4])} failed: {made.stderr.strip().splitlines()[-1:]}")
    stamp.touch()
    return python


def missing(python: Path) -> dict[str, str]:
    """The peers that cannot be loaded there, with the reason."""
    found = {}
    for name, module in NEEDS.items():
        tried = subprocess.run([str(python), "-c", f"import {module}"], capture_output=True, text=True, check=False)
        if tried.returncode:
            found[name] = tried.stderr.strip().splitlines()[-1]
    return found
