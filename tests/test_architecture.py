"""The house stays as it was drawn: arrows, SQL, environment, clock, one writer a table."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ALLOWED = {
    "numberpool": {"numberpool"},
    "tracker": {"tracker", "numberpool"},
    "mailrelay": {"mailrelay", "tracker", "numberpool"},
    "web": {"web", "tracker", "numberpool"},
}
MODULES = sorted(path for package in ALLOWED for path in (ROOT / package).rglob("*.py"))
SQL = re.compile(
    r"^\s*(SELECT\s.+\sFROM|INSERT\s+INTO|UPDATE\s+\w+\s+(\w+\s+)?SET|DELETE\s+FROM|WITH\s+\w+\s+AS)\b",
    re.DOTALL,
)
WRITES = re.compile(r"\b(?:INSERT\s+INTO|UPDATE|DELETE\s+FROM)\s+([a-z_]+)\b")
CLOCKS = {
    "datetime.now", "datetime.utcnow", "datetime.today", "date.today",
    "time.time", "time.time_ns",
}  # fmt: skip

# Doors, processes and commands read the clock; everything between takes `at`.
CLOCK_EDGES = re.compile(
    r"^(web/|mailrelay/|tracker/(cli|console|__main__|worker|supervisor|inbox|reach|example|demo)"
    r"|tracker/destinations/)"
)
# Names that SQL texts use but that are no tables of ours.
NOT_TABLES = {"set", "of", "skip"}
# Tables with two writers, each for a reason that its module tells.
SHARED_TABLES = {
    "attempts",  # deliveries' and letters' tries alike
    "sessions",  # visits write them, beats keep them alive
    "pools",  # set up by provisioning; the ledger raises the epoch
    "unread",
    "stale_days",  # marked where something changes, cleared where reports are made
}
# Whole sites are taken away, and people joined, across tables.
SWEEPERS = {"tracker/example.py", "tracker/people.py"}


def _names(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def _texts(tree: ast.AST) -> Iterator[str]:
    """String literals, those of f-strings joined, docstrings left out."""
    documentation = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }  # fmt: skip
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(
                part.value if isinstance(part, ast.Constant) else "x"
                for part in node.values
            )
        elif (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in documentation
        ):
            yield node.value


@pytest.mark.parametrize("path", MODULES, ids=_names)
def test_imports_follow_the_arrows(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    ours = {name.split(".")[0] for name in _imports(ast.parse(path.read_text()))}

    assert (ours & ALLOWED.keys()) <= ALLOWED[package]


@pytest.mark.parametrize("path", MODULES, ids=_names)
def test_every_module_says_what_it_is_for(path: Path) -> None:
    text = path.read_text()

    assert not text.strip() or ast.get_docstring(ast.parse(text))


@pytest.mark.parametrize("path", MODULES, ids=_names)
def test_doors_hold_no_sql(path: Path) -> None:
    if path.relative_to(ROOT).parts[0] not in ("web", "mailrelay"):
        return
    assert [t for t in _texts(ast.parse(path.read_text())) if SQL.search(t)] == []


@pytest.mark.parametrize("path", MODULES, ids=_names)
def test_only_config_reads_the_environment(path: Path) -> None:
    if _names(path) in ("tracker/config.py",):
        return
    text = path.read_text()

    assert "os.environ" not in text
    assert "getenv" not in text


@pytest.mark.parametrize("path", MODULES, ids=_names)
def test_the_clock_is_read_only_at_the_edges(path: Path) -> None:
    if CLOCK_EDGES.match(_names(path)):
        return
    calls = {
        ast.unparse(node.func)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
    }
    assert calls & CLOCKS == set()


def test_each_table_is_written_by_one_module() -> None:
    writers: dict[str, set[str]] = defaultdict(set)
    for path in MODULES:
        if _names(path) in SWEEPERS:
            continue
        for text in _texts(ast.parse(path.read_text())):
            for table in WRITES.findall(text):
                writers[table].add(_names(path))
    crowded = {
        table: sorted(modules)
        for table, modules in writers.items()
        if len(modules) > 1 and table not in SHARED_TABLES | NOT_TABLES
    }
    assert crowded == {}
