"""A policy as it lies on disk: one file, or a folder whose files make one policy together."""

import re
from pathlib import Path
from typing import Any

import msgspec
import yaml

from abuse_service.errors import PolicyError
from abuse_service.policy.places import locate

DEFAULT_POLICY = Path(__file__).parent / "default.yaml"

_ENTRY = re.compile(r"(\w+)(?:\[(\d+)\]|\.([^.\[]+))?(.*)")

Origins = dict[tuple[str, str], tuple[str, str]]


class Source(msgspec.Struct, frozen=True):
    """The text of a policy, and the ``files`` that it was read from, by name.

    ``origins`` says of a folder's sections, and of their entries by name or by index, which file holds them, and under
    which name or index there.
    """

    text: str
    files: dict[str, str]
    origins: Origins = {}

    def located(self, error: PolicyError) -> PolicyError:
        """The same error, with the spot in the file that the author wrote."""
        if not self.origins:
            [(file, text)] = self.files.items()
            return locate(error, text, file)
        found = _ENTRY.fullmatch(error.path or "")
        if found is None:
            return error
        section, index, name, rest = found.groups()
        origin = self.origins.get((section, index or name or "")) or self.origins.get((section, ""))
        if origin is None:
            return error
        file, local = origin
        error.path = f"{section}[{local}]{rest}" if index else error.path
        return locate(error, self.files[file], file)


def read_source(path: Path | None) -> Source:
    """The policy in a file, in the ``*.yaml`` of a folder merged in the order of their names, or the one that ships.

    Raises `PolicyError`, also where a section says one name twice.
    """
    source = path or DEFAULT_POLICY
    if source.is_dir():
        files = sorted(source.glob("*.yaml"))
        if not files:
            raise PolicyError("the folder holds no *.yaml", path=str(source))
        return _merge({file.name: _read_text(file) for file in files})
    text = _read_text(source)
    refuse_repeats(text, source.name)
    return Source(text, {source.name: text})


def refuse_repeats(text: str, file: str = "policy.yaml") -> None:
    """Refuse YAML that says one name twice: of two thresholds only the later one would count, unseen."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise locate(PolicyError(f"not YAML: {str(error).splitlines()[0]}"), text, file) from None
    waiting, walked = [root], set[int]()
    while waiting:
        node = waiting.pop()
        if id(node) in walked:
            continue  # an alias
        walked.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting += node.value
        elif isinstance(node, yaml.MappingNode):
            seen = set()
            for name, value in node.value:
                if name.value in seen:
                    mark = name.start_mark
                    place = f"{file}:{mark.line + 1}:{mark.column + 1}"
                    raise PolicyError(f"{name.value} is said twice", place=place)
                seen.add(name.value)
                waiting.append(value)


def _merge(files: dict[str, str]) -> Source:
    merged: dict[str, Any] = {}
    origins: Origins = {}
    for file, text in files.items():
        refuse_repeats(text, file)
        said = yaml.safe_load(text)
        if said is None:
            continue
        if not isinstance(said, dict):
            raise PolicyError("expected sections such as rules", place=file)
        for section, value in said.items():
            _add(merged, origins, file, str(section), value)
    text = yaml.safe_dump(merged, sort_keys=False, allow_unicode=True, width=120)
    return Source(text, files, origins)


def _add(merged: dict[str, Any], origins: Origins, file: str, section: str, value: Any) -> None:
    known = merged.get(section)
    if isinstance(value, dict) and isinstance(known, dict | None):
        known = merged.setdefault(section, {})
        for name, entry in value.items():
            if name in known:
                other = origins[section, str(name)][0]
                raise PolicyError(f"{other} says it as well", path=f"{section}.{name}", place=file)
            known[name] = entry
            origins[section, str(name)] = (file, str(name))
    elif isinstance(value, list) and isinstance(known, list | None):
        known = merged.setdefault(section, [])
        for index, entry in enumerate(value):
            origins[section, str(len(known))] = (file, str(index))
            known.append(entry)
    elif section in merged:
        raise PolicyError(f"{origins[section, ''][0]} says it as well", path=section, place=file)
    else:
        merged[section] = value
    origins.setdefault((section, ""), (file, ""))


def _read_text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise PolicyError(f"can't read the policy file: {error.strerror}", path=str(path)) from None
    except UnicodeDecodeError:
        raise PolicyError("can't read the policy file: not UTF-8", path=str(path)) from None
