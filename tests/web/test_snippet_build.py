"""The making of page assets, with the real npm packages, esbuild and terser."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from web import snippet_build

LIBRARIES = {"vendor/echarts.min.js", "vendor/htmx.min.js"}
SCRIPTS = {f"snippet/{script.name}.min.js" for script in snippet_build.scripts()}
CORE = "web/static/snippet/core.min.js"
MAIN = "web/snippet/core/main.js"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A copy of the project's sources, beside packages that are installed already."""
    snippet_build.build()
    shutil.copytree(snippet_build.ROOT / "web/snippet", tmp_path / "web/snippet")
    shutil.copy2(snippet_build.ROOT / "package.json", tmp_path / "package.json")
    (tmp_path / "node_modules").symlink_to(snippet_build.ROOT / "node_modules")
    return tmp_path


def names(root: Path, made: list[Path]) -> set[str]:
    return {str(path.relative_to(root / "web/static")) for path in made}


def test_a_second_run_makes_nothing_and_a_changed_module_only_scripts(
    root: Path,
) -> None:
    assert names(root, snippet_build.build(root)) == SCRIPTS | LIBRARIES
    assert snippet_build.build(root) == []

    later = (root / CORE).stat().st_mtime_ns + 10**12  # ns, younger than all
    os.utime(root / MAIN, ns=(later, later))

    assert names(root, snippet_build.build(root)) == SCRIPTS


def test_what_is_made_is_one_function_to_be_called_with_the_configuration(
    root: Path,
) -> None:
    made = [path for path in snippet_build.build(root) if path.parent.name == "snippet"]
    whole = ",".join(f"({path.read_text()})" for path in made)
    node = snippet_build.find_node().node

    kinds = subprocess.run(
        [*node, "-e", f"console.log([{whole}].every(f => typeof f == 'function'))"],
        capture_output=True,
        check=True,
    )

    assert len(made) == len(SCRIPTS)
    assert kinds.stdout.strip() == b"true"


def test_a_module_that_does_not_parse_is_refused_and_the_old_script_stays(
    root: Path,
) -> None:
    snippet_build.build(root)
    before = (root / CORE).read_bytes()
    (root / MAIN).write_text("(function (C) { oops( })")

    os.utime(root / CORE, ns=(0, 0))
    with pytest.raises(snippet_build.BuildFailed, match="ERROR"):
        snippet_build.build(root)

    assert (root / CORE).read_bytes() == before


def test_packages_of_another_version_do_not_count_as_installed(root: Path) -> None:
    package = root / "package.json"
    modules = root / "node_modules"
    assert snippet_build.installed(package, modules)

    package.write_text('{"devDependencies": {"terser": "1.0.0"}}')

    assert not snippet_build.installed(package, modules)


def test_versions_are_pinned_exactly() -> None:
    package = snippet_build.ROOT / "package.json"
    versions = snippet_build.pinned(package).values()
    assert all(version.replace(".", "").isdigit() for version in versions)


def test_a_machine_without_node_uses_the_one_from_pypi(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    found = snippet_build.find_node()

    for command in (found.node, found.npm):
        version = subprocess.run([*command, "--version"], capture_output=True)
        assert version.stdout.strip().removeprefix(b"v")[:1].isdigit(), version.stderr


def test_what_a_failed_command_complained_of_is_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(snippet_build.BuildFailed, match="no good"):
        snippet_build.run(
            ("sh", "-c", "echo no good >&2; exit 3"),
            at=tmp_path,
            patience=snippet_build.TOOL_PATIENCE,
        )
