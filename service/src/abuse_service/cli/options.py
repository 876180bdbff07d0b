"""What the verbs take alike: options, and the settings behind them."""

from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from abuse_service.cli.desk import Desk
from abuse_service.errors import RefusedToStart
from abuse_service.settings import Settings

Data = Annotated[Path | None, typer.Option(help="Data directory. Setting ABUSE_DATA.")]
Url = Annotated[str | None, typer.Option(help="Address of the service; without it, the directory's owner is asked.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Reason = Annotated[str, typer.Option(help="Why.")]
PolicyPath = Annotated[Path | None, typer.Option(help="Policy: a file, or a folder of *.yaml. Setting ABUSE_POLICY.")]


def read_settings(**given: Any) -> Settings:
    """The settings from options and environment, options first. Raises `RefusedToStart` naming the setting."""
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise RefusedToStart(f"setting {place}: {first['msg'].lower()}", path=place) from None
    except ValueError as error:
        # pydantic-settings: a list that is no JSON. The text of the error may hold a secret.
        raise RefusedToStart(f"a setting is no JSON: {type(error).__name__}; ABUSE_TOKENS is a JSON list") from None


def open_desk(data: Path | None, url: str | None) -> Desk:
    """Where a verb gets its answers."""
    return Desk(read_settings(data=data), url)
