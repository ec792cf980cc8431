"""How tests read pages: forms, tokens and the texts people see."""

import re
from html import unescape
from typing import Any

from tests.web.dashboard.conftest import Client

_TOKEN = re.compile(r'name="csrf" value="([^"]+)"')
_ROW = re.compile(r'<tr role="row" id="c-([0-9a-f-]{36})"')


async def page(client: Client, path: str, *, status: int = 200) -> str:
    """The HTML of a page that answers as expected."""
    async with client.get(path, allow_redirects=False) as response:
        text = await response.text()
        assert response.status == status, text
        return text


async def token(client: Client, path: str) -> str:
    """The CSRF token of the forms on a page."""
    found = _TOKEN.search(await page(client, path))
    assert found
    return unescape(found[1])


async def send(
    client: Client,
    path: str,
    form: dict[str, Any],
    *,
    from_: str | None = None,
    status: int = 303,
) -> str:
    """Send a form with its token; where it leads, or the page when it leads nowhere."""
    data = {"csrf": await token(client, from_ or path), **form}
    async with client.post(path, data=data, allow_redirects=False) as response:
        text = await response.text()
        assert response.status == status, text
        return response.headers.get("Location", text)


def rows(html: str) -> list[str]:
    """The ids of the contacts in a journal, as they stand."""
    return _ROW.findall(html)


def words(html: str) -> str:
    """What a person reads: no tags, no runs of blanks."""
    bare = re.sub(r"<(script|style)\b.*?</\1>", " ", html, flags=re.DOTALL)
    return " ".join(
        unescape(re.sub(r"<[^>]+>", " ", bare)).replace("\xa0", " ").split()
    )
