"""The environment in which peers and client are measured, and what of it could be had."""

import subprocess
import sys
from pathlib import Path

from abuse_lab.bench.embedding.subjects import NEEDS

ROOT = Path(__file__).parents[5]
ENVIRONMENT = ROOT / ".venv-peers"
INSTALL_SECONDS = 600


class NoEnvironment(RuntimeError):
    """the peers' environment could not be made"""


def make_environment() -> Path:
    """The interpreter of ``.venv-peers``, made from ``requirements/peers.txt`` at first. Raises `NoEnvironment`."""
    python = ENVIRONMENT / "bin" / "python"
    wanted = ROOT / "requirements" / "peers.txt"
    stamp = ENVIRONMENT / ".set-up"
    if stamp.exists() and stamp.stat().st_mtime >= wanted.stat().st_mtime:
        return python
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    for command in ([sys.executable, "-m", "venv", str(ENVIRONMENT)], [*pip, "-r", str(wanted)]):
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
