"""Runs one command after another in one process: its imports take longer than its work.

A line in is a request, a line out its outcome, both JSON.
"""

import io
import json
import os
import sys
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

from tracker import cli


def carry_out(request: dict[str, Any]) -> dict[str, Any]:
    os.environ.update(request["environment"])
    sys.argv = ["skvoz", *request["arguments"]]
    sys.stdin = io.TextIOWrapper(io.BytesIO(request["typed"].encode()))
    code: Any = 0
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        try:
            cli.main()
        except SystemExit as end:
            code = end.code or 0
    return {"code": code, "out": out.getvalue(), "err": err.getvalue()}


if __name__ == "__main__":
    for line in sys.stdin:
        answer = json.dumps(carry_out(json.loads(line)))
        sys.__stdout__.write(answer + "\n")  # type: ignore[union-attr]
        sys.__stdout__.flush()  # type: ignore[union-attr]
