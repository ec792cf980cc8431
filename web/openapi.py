"""The REST API described: an OpenAPI 3.1 document and a page for people.

Both are made from the table of operations in `web/api.py` and the records of
`web/api_shapes.py`, so they say what the handlers do.
"""

import html
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from aiohttp import web

from web import api_shapes

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

REFUSALS = {
    "400": "something in the request does not fit; `field` tells where",
    "401": "no valid token",
    "403": "the token is another site's, or its scope is too narrow",
    "404": "no such site or object",
    "413": "the body is too large",
    "429": "too many requests; see Retry-After",
    "503": "a store is away; try again later",
}
REFERENCE = "#/components/schemas/{name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One word of the address."""

    name: str
    about: str
    schema: dict[str, Any]
    required: bool = False
    place: str = "query"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One thing that can be asked of the API."""

    method: str
    path: str
    name: str
    summary: str
    about: str
    scope: str
    handler: Handler
    answer: type
    parameters: tuple[Parameter, ...] = ()
    body: Any = None  # a type; None: no body


def document(
    operations: Sequence[Operation], *, public_url: str, version: str
) -> dict[str, Any]:
    """The OpenAPI document."""
    types = [one.answer for one in operations] + [api_shapes.Refusal]
    bodies = [one.body for one in operations if one.body is not None]
    schemas, components = msgspec.json.schema_components(
        [*types, *bodies], ref_template=REFERENCE
    )
    by_type = dict(zip(map(repr, [*types, *bodies]), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for one in operations:
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one, by_type)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Skvoz",
            "version": version,
            "summary": "Contacts, deals, costs and reports of a tracked site",
        },
        "servers": [{"url": public_url}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "made by `skvoz token add SITE --scope read`",
                }
            },
        },
    }


def _operation(one: Operation, by_type: dict[str, dict[str, Any]]) -> dict[str, Any]:
    refusal = by_type[repr(api_shapes.Refusal)]
    described: dict[str, Any] = {
        "operationId": one.name,
        "summary": one.summary,
        "description": f"{one.about} Scope: `{one.scope}`.",
        "parameters": [
            {
                "name": given.name,
                "in": given.place,
                "description": given.about,
                "required": given.required,
                "schema": given.schema,
            }
            for given in one.parameters
        ],
        "responses": {
            "200": {"description": "done", "content": _json(by_type[repr(one.answer)])}
        }
        | {
            status: {"description": about, "content": _json(refusal)}
            for status, about in REFUSALS.items()
        },
    }
    if one.body is not None:
        content = _json(by_type[repr(one.body)])
        described["requestBody"] = {"required": True, "content": content}
    return described


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


# The page ---------------------------------------------------------------------------------

STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;
color:#1b1f24;background:#fff}
h1{margin-bottom:0}h2{margin-top:2.5rem;border-bottom:1px solid #d5dae0;padding-bottom:.3rem}
code,pre{font-family:ui-monospace,monospace;font-size:.9em}
pre{background:#f4f6f8;padding:.8rem;overflow-x:auto;border-radius:.4rem}
table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;
padding:.3rem .8rem .3rem 0;border-bottom:1px solid #e5e9ee}
.method{color:#0b5cad}a{color:#0b5cad}
@media(prefers-color-scheme:dark){body{color:#e6e9ec;background:#15181c}
pre{background:#20252b}h2,td,th{border-color:#333a42}a,.method{color:#7ab7f5}}
"""


def page(description: dict[str, Any]) -> str:
    """The document as a page that a person can read; needs nothing but itself."""
    schemas = description["components"]["schemas"]
    operations = [
        _operation_part(method, path, one)
        for path, methods in description["paths"].items()
        for method, one in methods.items()
    ]
    records = [_schema_part(name, schemas[name]) for name in schemas]
    url = html.escape(description["servers"][0]["url"])
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Skvoz API</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>{STYLE}</style></head><body>
<h1>Skvoz API</h1>
<p>For machines: <a href="/api/openapi.json">/api/openapi.json</a> (OpenAPI 3.1).</p>
<p>A token is made by <code>skvoz token add SITE --scope read</code> and shown with every
request:</p>
<pre>curl -H "Authorization: Bearer skv_…" "{url}/api/v1/contacts?site=SITE"</pre>
<p>A refusal says what and where: <code>{{"error": {{"field": "…", "message": "…"}}}}</code></p>
{"".join(operations)}
<h2>Records</h2>
{"".join(records)}
</body></html>
"""


def _operation_part(method: str, path: str, one: dict[str, Any]) -> str:
    rows = [
        (given["name"], _type(given["schema"]), given["description"])
        for given in one["parameters"]
    ]
    body = one.get("requestBody")
    took = f"<p>Takes {_content(body['content'])}.</p>" if body else ""
    return f"""
<h2 id="{html.escape(one["operationId"])}"><span class="method">{method.upper()}</span>
<code>{html.escape(path)}</code></h2>
<p>{html.escape(one["summary"])}. {_marked(one["description"])}</p>
{_rows(rows)}{took}<p>Gives {_content(one["responses"]["200"]["content"])}.</p>
"""


def _schema_part(name: str, schema: dict[str, Any]) -> str:
    needed = set(schema.get("required", ()))
    rows = [
        (
            field if field in needed else f"{field} (optional)",
            _type(one),
            one.get("description", ""),
        )
        for field, one in schema.get("properties", {}).items()
    ]
    about = html.escape(schema.get("description", ""))
    return f'<h3 id="{html.escape(name)}">{html.escape(name)}</h3><p>{about}</p>{_rows(rows)}'


def _rows(rows: Sequence[tuple[str, str, str]]) -> str:
    if not rows:
        return ""
    cells = "".join(
        f"<tr><td><code>{html.escape(name)}</code></td><td>{kind}</td>"
        f"<td>{_marked(about)}</td></tr>"
        for name, kind, about in rows
    )
    return f"<table>{cells}</table>"


def _content(content: dict[str, Any]) -> str:
    return _type(content["application/json"]["schema"])


def _type(schema: dict[str, Any]) -> str:
    """A schema in a few words, as HTML."""
    if "$ref" in schema:
        name = html.escape(schema["$ref"].rsplit("/", 1)[1])
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_type(one) for one in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(html.escape(str(value)) for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    kind = schema.get("format") or schema.get("type") or "anything"
    return html.escape(" or ".join(kind) if isinstance(kind, list) else str(kind))


def _marked(text: str) -> str:
    """Text with `code` in it."""
    parts = html.escape(text).split("`")
    return "".join(
        f"<code>{part}</code>" if n % 2 else part for n, part in enumerate(parts)
    )
