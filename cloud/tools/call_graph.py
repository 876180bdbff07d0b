"""Which function of the cloud leads to which, read from the parsed source: every name that one mentions of another."""

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

PACKAGE = "cloud"
REPORT, ENTRY = "report_after_commit", "report_auth_event"


@dataclass(kw_only=True)
class Place:
    """A function, or a name of a module that stands for functions."""

    name: str
    """Below the package, such as `billing.passes.change_pass`."""
    mentions: set[str] = field(default_factory=set)
    events: set[str] = field(default_factory=set)
    """The constructors of `abuse_client.events` that it names."""
    calls: set[str] = field(default_factory=set)
    """Names of methods that it calls on anything."""
    is_function: bool = False
    route: str | None = None
    """The method and the path that it answers."""


class CallGraph:
    """All places of the package."""

    def __init__(self, source: Path) -> None:
        self.places: dict[str, Place] = {}
        for path in sorted(source.rglob("*.py")):
            module = ".".join(path.relative_to(source).with_suffix("").parts)
            self._read(module, ast.parse(path.read_text(encoding="utf-8")))

    def reach(self, names: Iterable[str], without: frozenset[str] = frozenset()) -> set[str]:
        """Return every place that these lead to, themselves included, by ways around the places `without`."""
        reached: set[str] = set()
        open_ones = [name for name in names if name not in without]
        while open_ones:
            name = open_ones.pop()
            if name in reached or name not in self.places:
                continue
            reached.add(name)
            open_ones += [other for other in self.places[name].mentions if other not in without]
        return reached

    def reporters(self) -> dict[str, set[str]]:
        """Return for each constructor of an event the functions that name it on their way to its report."""
        found: dict[str, set[str]] = {}
        for name, place in self.places.items():
            near = set(place.events).union(*(self.places[m].events for m in place.mentions if self._stands_for_some(m)))
            if near and any(REPORT in self.places[other].calls for other in self.reach([name])):
                for event in near:
                    found.setdefault(event, set()).add(name)
        return found

    def entrances(self) -> set[str]:
        """Return the functions that report a sign-up or sign-in; what hands it to the client is none of them."""
        return {name for name, place in self.places.items() if ENTRY in place.calls and place.is_function}

    def routes(self) -> dict[str, str]:
        """Return the functions that answer a request, each with its method and path."""
        return {name: place.route for name, place in self.places.items() if place.route is not None}

    def _stands_for_some(self, name: str) -> bool:
        return name in self.places and name.rpartition(".")[2].isupper()

    def _read(self, module: str, tree: ast.Module) -> None:
        known: dict[str, str] = {}
        tops: list[tuple[str, ast.AST]] = []
        for node in tree.body:
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{PACKAGE}."):
                origin = (node.module or "").removeprefix(f"{PACKAGE}.")
                known |= {alias.asname or alias.name: f"{origin}.{alias.name}" for alias in node.names}
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                tops.append((node.name, node))
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                tops += [(target.id, node) for target in targets if isinstance(target, ast.Name)]
        known |= {name: f"{module}.{name}" for name, _ in tops}
        for name, node in tops:
            self.places[f"{module}.{name}"] = read_place(f"{module}.{name}", node, known)


def read_place(name: str, node: ast.AST, known: dict[str, str]) -> Place:
    place = Place(name=name)
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and part.id in known:
            place.mentions.add(known[part.id])
        elif isinstance(part, ast.Attribute):
            if isinstance(part.value, ast.Name) and part.value.id == "events":
                place.events.add(part.attr)
            place.calls.add(part.attr)
    place.mentions.discard(name)
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        place.is_function, place.route = True, route_of(node)
    return place


def route_of(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str | None:
    for mark in node.decorator_list:
        if not (isinstance(mark, ast.Call) and isinstance(mark.func, ast.Attribute) and mark.args):
            continue
        asked, path = mark.func.value, mark.args[0]
        if isinstance(asked, ast.Name) and asked.id == "router" and isinstance(path, ast.Constant):
            return f"{mark.func.attr.upper()} {path.value}"
    return None
