"""Hold what the package exports against a host's type checker: no name whose type is unknown, or only inferred.

Left out are names whose types are those of a package that ships none.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

PACKAGE = "abuse_client"
BUILT_ON_UNTYPED = (f"{PACKAGE}.integrations.django", f"{PACKAGE}.integrations.litellm.AbuseCallback")


def main() -> int:
    """Print what a checker would not know, and return 1 if there is something."""
    # pyright looks for the packages of the `python` that it finds first.
    beside = str(Path(sys.executable).parent)
    ran = subprocess.run(
        [str(Path(beside, "pyright")), "--verifytypes", PACKAGE, "--ignoreexternal", "--outputjson"],
        env=os.environ | {"PATH": beside + os.pathsep + os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    if not ran.stdout.startswith("{"):
        print(ran.stdout + ran.stderr, file=sys.stderr)
        return 1
    told: dict[str, Any] = json.loads(ran.stdout)
    symbols: list[dict[str, Any]] = told.get("typeCompleteness", {}).get("symbols", [])
    exported = [symbol for symbol in symbols if symbol["isExported"]]
    unclear = [symbol for symbol in exported if not _is_clear(symbol)]
    for symbol in unclear:
        reasons = [one["message"].splitlines()[0] for one in symbol["diagnostics"]]
        print(f"{symbol['name']}: {'; '.join(reasons)}", file=sys.stderr)
    if not exported:
        print(f"{PACKAGE} exports nothing that pyright could see", file=sys.stderr)
    return 1 if unclear or not exported else 0


def _is_clear(symbol: dict[str, Any]) -> bool:
    is_known = symbol["isTypeKnown"] and not symbol["isTypeAmbiguous"]
    return is_known or symbol["name"].startswith(BUILT_ON_UNTYPED)


if __name__ == "__main__":
    sys.exit(main())
