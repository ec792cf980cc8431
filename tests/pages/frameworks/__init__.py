"""Pages of React and Vue, built as for production from npm's packages when tests begin.

`build.mjs` tells how; `NAME.toml` is what is expected of a page, as everywhere on the shelf.
"""

import fcntl
from datetime import timedelta
from pathlib import Path

from web import snippet_build

FOLDER = Path(__file__).parent
PATIENCE = timedelta(minutes=5)  # on a machine whose cores run other tests


def build(shared: Path) -> Path:
    """The folder of the built pages; the first of the workers that share a folder builds."""
    out = shared / "frameworks"
    with (shared / "frameworks.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not out.exists():
            snippet_build.build()
            modules = snippet_build.ROOT / "node_modules"
            half = shared / "frameworks.new"
            half.mkdir(exist_ok=True)
            program = (*snippet_build.find_node().node, str(FOLDER / "build.mjs"))
            snippet_build.run(
                (*program, str(modules), str(half)), at=FOLDER, patience=PATIENCE
            )
            half.rename(out)
    return out
