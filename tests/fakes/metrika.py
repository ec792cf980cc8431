"""A make-believe Yandex Metrika: takes offline conversions and calls as CSV uploads."""

import csv
import io
import itertools
import json
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from tests.fakes import Fake, Trouble

IDENTIFIERS = frozenset({"ClientId", "Yclid", "UserId", "PurchaseId"})
TOKEN = "y0_make_believe"


def error(status: int, type_: str, **headers: str) -> Trouble:
    """A scripted error with Metrika's own envelope."""
    body = {
        "errors": [{"error_type": type_, "message": type_.replace("_", " ")}],
        "code": status,
        "message": type_,
    }
    return Trouble(status=status, body=json.dumps(body), headers=headers)


@dataclass(frozen=True, kw_only=True)
class Uploaded:
    """One upload as it was taken."""

    id: int
    type: str  # calls, conversions
    comment: str
    rows: list[dict[str, str]]


class Metrika(Fake):
    """Every counter, for one token."""

    def __init__(self) -> None:
        super().__init__()
        self._ids = itertools.count(4001)
        self.uploads: list[Uploaded] = []

    @property
    def rows(self) -> list[dict[str, str]]:
        return [row for upload in self.uploads for row in upload.rows]

    def part(self, request: web.Request) -> str:
        return request.path.rpartition("/")[2]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"OAuth {TOKEN}":
            return _refusal(401, "unauthorized")
        part = self.part(request)
        if part in ("upload", "upload_calls"):
            type_ = "calls" if part == "upload_calls" else "conversions"
            return await self._take(request, type_)
        type_ = "calls" if part == "calls_uploadings" else "conversions"
        first = int(request.query.get("offset", "0"))
        most = int(request.query.get("limit", "10000"))
        found = [_shown(one) for one in self.uploads if one.type == type_]
        return web.json_response({"uploadings": found[first : first + most]})

    async def _take(self, request: web.Request, type_: str) -> web.StreamResponse:
        form = await request.post()
        file = form["file"]
        assert isinstance(file, web.FileField)
        rows = list(csv.DictReader(io.TextIOWrapper(file.file, "utf-8")))
        columns = set(rows[0]) if rows else set()
        needed = {"DateTime"} | ({"Target"} if type_ == "conversions" else set())
        if len(columns & IDENTIFIERS) != 1 or not needed <= columns:
            return _refusal(400, "invalid_uploading")
        upload = Uploaded(
            id=next(self._ids),
            type=type_,
            comment=request.query.get("comment", ""),
            rows=rows,
        )
        self.uploads.append(upload)
        return web.json_response({"uploading": _shown(upload)})


def _shown(upload: Uploaded) -> dict[str, Any]:
    return {
        "id": upload.id,
        "source_quantity": len(upload.rows),
        "line_quantity": len(upload.rows),
        "comment": upload.comment,
        "status": "UPLOADED",
    }


def _refusal(status: int, type_: str) -> web.Response:
    return web.Response(status=status, text=error(status, type_).body)
