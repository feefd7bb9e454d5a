"""The house's layers, read from the imports: call down, tell up."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "helpdesk"

#: From the top; a package may import itself and what stands below it.
LAYERS = ["channels", "agents", "tickets", "crm kb", "kernel"]
#: See everything: they put the parts together.
EVERYTHING = {
    "app",
    "cli",
    "tasks",
    "server",
    "demo",
    "backup",
    "check",
    "setup",
    "schema",
    "user_commands",
    "kb_commands",
    "health",
    "signin",
    "migrations",
    "translations",
    "__main__",
}
#: Doors are self-contained: none imports another's inside. The few that are shared on purpose, with the reason.
SHARED_DOORS = {
    ("portal", "email"),  # the portal asks the e-mail door to send a fresh link
    ("api", "email"),  # programs read what became of a mail
}


def level(package: str) -> int:
    return next((number for number, names in enumerate(LAYERS) if package in names.split()), len(LAYERS) - 1)


def package_of(module: str) -> str:
    parts = module.split(".")
    if len(parts) < 2:
        return "kernel"
    return (
        parts[1] if parts[1] in {"channels", "agents", "tickets", "crm", "kb"} else ("everything" if parts[1] in EVERYTHING else "kernel")
    )


def imports(path: Path) -> set[str]:
    """Modules of ours that a file imports, wherever in the file."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.update({node.module, *(f"{node.module}.{alias.name}" for alias in node.names)})
    return {name for name in found if name.startswith("helpdesk.")}


def modules() -> list[tuple[str, Path]]:
    return [(".".join(path.relative_to(ROOT.parent).with_suffix("").parts), path) for path in sorted(ROOT.rglob("*.py"))]


@pytest.mark.parametrize(("module", "path"), modules(), ids=lambda value: value if isinstance(value, str) else "")
def test_a_module_imports_only_what_stands_below_it(module: str, path: Path) -> None:
    mine = package_of(module)
    if mine == "everything":
        return
    wrong = []
    for name in imports(path):
        theirs = package_of(name)
        above = theirs not in ("everything", mine) and level(theirs) < level(mine)
        beside = {mine, theirs} == {"crm", "kb"}
        if above or beside or (theirs == "everything" and mine == "kernel"):
            wrong.append(name)
    assert not wrong, f"{module} is below, or beside, {sorted(wrong)}: tell them with an event"


def test_doors_do_not_reach_into_each_other() -> None:
    wrong = set()
    for module, path in modules():
        parts = module.split(".")
        if parts[1:2] != ["channels"] or len(parts) < 4:
            continue
        for name in imports(path):
            other = name.split(".")
            if other[1] == "channels" and len(other) > 2 and other[2] != parts[2] and (parts[2], other[2]) not in SHARED_DOORS:
                wrong.add((module, name))
    assert not wrong


def test_nobody_but_the_edge_commits() -> None:
    # A restore fills empty tables row by row, long before there is a desk with an edge.
    allowed = {"helpdesk.db", "helpdesk.migrations.env", "helpdesk.backup.restoring"}
    wrong = [module for module, path in modules() if ".commit()" in path.read_text() and module not in allowed and ".kb." not in module]
    assert not wrong, wrong


def test_time_comes_from_the_clock() -> None:
    wrong = [
        module
        for module, path in modules()
        if ("datetime.now(" in path.read_text() or "utcnow(" in path.read_text()) and module != "helpdesk.clock"
    ]
    assert not wrong, wrong
