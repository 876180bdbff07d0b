"""The tutorials, done as they say: files are written, commands run, what must answer answers, from an empty folder."""

import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "docs" / "tutorials"
BLOCK = re.compile(r"^```(sh|python|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SERVERS = ("abuse-service serve", "uvicorn ", "python manage.py runserver")
UP_WITHIN_S = 60.0

pytestmark = pytest.mark.slow


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class Reader:
    """Somebody who does what a page says, with other ports and with what is installed here."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = {"8787": str(free_port()), "8000": str(free_port())}
        self.servers: list[subprocess.Popen[bytes]] = []
        self.printed = ""
        sources = [str(ROOT / wing / "src") for wing in ("client", "service")]
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ABUSE_", "PYTEST_"))}
        self.environment = kept | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join(sources),
            "ABUSE_PORT": self.ports["8787"],
            "COLUMNS": "200",
        }

    def do(self, page: Path) -> None:
        """Follow the page from its first block to its last."""
        for kind, block in BLOCK.findall(page.read_text(encoding="utf-8")):
            for said, ours in self.ports.items():
                block = block.replace(said, ours)
            if kind == "python":
                self.write(block)
            elif kind == "text":
                self.compare(block)
            elif "pip install" in block:
                self.begin(block)
            elif any(command in block for command in SERVERS):
                self.serve(block)
            else:
                self.printed = self.run(block)

    def begin(self, block: str) -> None:
        """Make the folder that the page makes; what it installs is here already."""
        made = re.search(r"mkdir (\S+)", block)
        assert made, block
        self.folder = self.folder / made[1]
        self.folder.mkdir()

    def write(self, block: str) -> None:
        """Write a file, which a block names in its first line."""
        name = block.partition("\n")[0].removeprefix("# ")
        assert name.endswith(".py"), block
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(block, encoding="utf-8")

    def run(self, block: str) -> str:
        """What a block's commands print."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block],
            cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"
        return done.stdout

    def serve(self, block: str) -> None:
        """Run a block whose last line is a server, and wait until that listens."""
        *before, server = block.strip().splitlines()
        for line in before:
            name, _, value = line.removeprefix("export ").partition("=")
            self.environment[name] = value
        port = int(found[1]) if (found := re.search(r"(\d{4,5})$", server)) else int(self.ports["8787"])
        log = (self.folder / f"server-{port}.log").open("wb")
        self.servers.append(
            subprocess.Popen(
                [*server.split()], cwd=self.folder, env=self.environment, stdout=log, stderr=subprocess.STDOUT
            )
        )
        log.close()
        until = time.monotonic() + UP_WITHIN_S
        while not listens(port):
            assert self.servers[-1].poll() is None, (self.folder / f"server-{port}.log").read_text()
            assert time.monotonic() < until, f"{server}: does not listen"
            time.sleep(0.05)

    def compare(self, block: str) -> None:
        """Each line that the page shows was printed by the commands before it."""
        for line in block.splitlines():
            assert line in self.printed, f"expected {line!r} in\n{self.printed}"

    def leave(self) -> None:
        """Stop the servers, the last one first."""
        for server in reversed(self.servers):
            server.terminate()
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def listens(port: int) -> bool:
    """Whether something answers HTTP there."""
    try:
        httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=5)
    except httpx.HTTPError:
        return False
    return True


@pytest.mark.parametrize("page", sorted(PAGES.glob("*.md")), ids=lambda page: page.stem)
def test_tutorial_works_as_it_stands(page: Path, tmp_path: Path) -> None:
    """Whoever follows a tutorial from an empty folder gets what it shows, and in the end a blocked request."""
    reader = Reader(tmp_path)
    try:
        reader.do(page)
    finally:
        reader.leave()


@pytest.mark.parametrize("page", sorted(PAGES.glob("*.md")), ids=lambda page: page.stem)
def test_tutorial_shows_what_matters(page: Path) -> None:
    """Each tutorial shows the refusal, the way back and a test: nothing of it can drop out unnoticed."""
    shown = "".join(block for kind, block in BLOCK.findall(page.read_text(encoding="utf-8")) if kind == "text")
    assert "403 Forbidden" in shown
    assert "abuse_blocked" in shown
    assert "1 passed" in shown
