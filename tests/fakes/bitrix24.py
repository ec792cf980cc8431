"""A make-believe Bitrix24 portal behind an inbound webhook.

Keeps leads, deals, contacts, activities and comments as they were given, finds duplicates
by phone and email, and answers with the real envelopes and error codes.
"""

import itertools
import json
from datetime import datetime
from typing import Any

from aiohttp import web

from tests.fakes import Fake, Trouble

Fields = dict[str, Any]
NAMES = {"LEAD": "lead", "CONTACT": "contact"}
NEEDED = ("SUBJECT", "RESPONSIBLE_ID", "TYPE_ID", "COMMUNICATIONS")


def error(code: str, status: int = 400, **more: Any) -> Trouble:
    """A scripted error of the portal."""
    body = {"error": code, "error_description": code.lower(), **more}
    return Trouble(status=status, body=json.dumps(body))


class _Refused(Exception):
    """Answered with 400."""


class Portal(Fake):
    """One portal; `hook` is the address that its owner gives us."""

    SECRET = "s3cr3tw0rd"

    def __init__(self) -> None:
        super().__init__()
        self._ids = itertools.count(1)
        self.calls: list[tuple[str, Fields]] = []
        self.objects: dict[str, dict[str, Fields]] = {
            name: {} for name in ("lead", "deal", "contact", "activity", "comment")
        }
        self.items: list[Fields] = []  # deals as `crm.item.list` gives them
        self.users: dict[str, Fields] = {}
        self.traces: list[Fields] = []

    @property
    def hook(self) -> str:
        return f"{self.url}/rest/7/{self.SECRET}/"

    @property
    def leads(self) -> list[Fields]:
        return list(self.objects["lead"].values())

    @property
    def deals(self) -> list[Fields]:
        return list(self.objects["deal"].values())

    @property
    def contacts(self) -> list[Fields]:
        return list(self.objects["contact"].values())

    @property
    def activities(self) -> list[Fields]:
        return list(self.objects["activity"].values())

    @property
    def comments(self) -> list[Fields]:
        return list(self.objects["comment"].values())

    @property
    def methods(self) -> list[str]:
        return [method for method, _ in self.calls]

    def add(self, kind: str, **fields: Any) -> str:
        """What somebody at the company made by hand."""
        id_ = str(next(self._ids))
        self.objects[kind][id_] = {"ID": id_, **fields}
        return id_

    def part(self, request: web.Request) -> str:
        return request.path.rpartition("/")[2].removesuffix(".json")

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if not request.path.startswith(f"/rest/7/{self.SECRET}/"):
            return _json({"error": "INVALID_CREDENTIALS", "error_description": ""}, 403)
        method, params = self.part(request), json.loads(await request.text())
        self.calls.append((method, params))
        try:
            result = self._do(method, params)
        except _Refused as refusal:
            return _json(
                {"error": "ERROR_CORE", "error_description": str(refusal)}, 400
            )
        return _json({"result": result, "time": {"operating": 0.1}})

    def _do(self, method: str, params: Fields) -> Any:
        if method == "crm.duplicate.findbycomm":
            return self._duplicates(params)
        if method == "crm.item.list":
            return {"items": self._items(params)}
        if method == "crm.tracking.trace.add":
            self.traces.append(params)
            return len(self.traces)
        if method == "user.get":
            ids = params["filter"]["@ID"]
            return [self.users[id_] for id_ in ids if id_ in self.users]
        if method == "crm.activity.add":
            self._check_activity(params["fields"])
        kind, _, verb = (
            method.removeprefix("crm.").removeprefix("timeline.").partition(".")
        )
        if kind not in self.objects:
            raise _Refused(f"no method {method}")
        return self._crud(kind, verb, params)

    def _crud(self, kind: str, verb: str, params: Fields) -> Any:
        kept = self.objects[kind]
        if verb == "add":
            return int(self.add(kind, **params["fields"]))
        if verb == "list":
            rows = [
                row for row in kept.values() if _fits(row, params.get("filter", {}))
            ]
            down = params.get("order", {}).get("ID") == "DESC"
            return sorted(rows, key=lambda row: int(row["ID"]), reverse=down)[:50]
        id_ = str(params["id"])
        if id_ not in kept:
            raise _Refused("Not found")
        if verb == "get":
            return kept[id_]
        if verb == "update":
            kept[id_] |= params["fields"]
            return True
        raise _Refused(f"no verb {verb}")

    def _duplicates(self, params: Fields) -> Any:
        wanted = {_folded(value) for value in params["values"]}
        kind = NAMES[params["entity_type"]]
        found = [
            int(id_)
            for id_, row in self.objects[kind].items()
            if wanted & {_folded(one["VALUE"]) for one in row.get(params["type"], [])}
        ]
        return {params["entity_type"]: found} if found else []

    def _items(self, params: Fields) -> list[Fields]:
        wanted = params["filter"]
        since = datetime.fromisoformat(wanted[">=updatedTime"])
        rows = [
            row
            for row in self.items
            if row["id"] > wanted[">id"]
            and datetime.fromisoformat(row["updatedTime"]) >= since
        ]
        return sorted(rows, key=lambda row: int(row["id"]))[:50]

    def _check_activity(self, fields: Fields) -> None:
        for name in NEEDED:
            if not fields.get(name):
                raise _Refused(f"The field {name} is required")
        if len(fields["COMMUNICATIONS"]) != 1:
            raise _Refused("Exactly one communication is required")


def _folded(value: str) -> str:
    digits = "".join(filter(str.isdigit, value))
    return digits[-10:] if digits and "@" not in value else value.lower()


def _fits(row: Fields, wanted: Fields) -> bool:
    defaults = {"STATUS_SEMANTIC_ID": "P", "CLOSED": "N"}
    for key, value in wanted.items():
        name = key.lstrip("@")
        has = str(row.get(name, defaults.get(name, "")))
        if key.startswith("@"):
            if has not in map(str, value):
                return False
        elif has != str(value):
            return False
    return True


def _json(value: Any, status: int = 200) -> web.Response:
    return web.json_response(value, status=status)
