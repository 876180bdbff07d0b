"""The terminal that everything is printed on."""

from rich.console import Console

WIDTH = 100


def make_console() -> Console:
    """The terminal, at most a hundred columns of it; exactly as many where the output is no terminal."""
    console = Console(highlight=False)
    return Console(highlight=False, width=min(console.width, WIDTH) if console.is_terminal else WIDTH)
