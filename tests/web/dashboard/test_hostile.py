"""Whatever an address or a form holds, the answer is a page and never a crash."""

import io

import pytest

from tests.web.dashboard import reading
from tests.web.dashboard.conftest import Client

QUERIES = (
    "after=0001-01-01T00:00:00%2B14:00_00000000-0000-0000-0000-000000000000",
    "after=9999-12-31T23:59:59-14:00_00000000-0000-0000-0000-000000000000",
    "after=2026-11-01T00:00:00_x",
    "q=%00", "q=%ED%A0%80", "q=%FF", "q=%25%5C_", "source=%00", "campaign=%00", "channel=%00",
    "from=0001-01-01&to=9999-12-31", "from=2026-02-30", "certainty=-1", "period=%00",
    "since=0001-01-01T00:00:00%2B14:00", "done=%3Cscript%3E",
)  # fmt: skip


@pytest.mark.parametrize("query", QUERIES)
async def test_hostile_addresses_get_a_page(reader: Client, query: str) -> None:
    for page in ("contacts", "channels", "numbers", "costs", "health", "channels.csv"):
        await reading.page(reader, f"/acme/{page}?{query}")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"a=1", "application/x-www-form-urlencoded; charset=nonsense"),
        (b"\xff\xfe=%ED%A0%80", "application/x-www-form-urlencoded"),
        (b"--x\r\nnonsense", "multipart/form-data; boundary=x"),
        (b"x", "multipart/form-data"),
        (b"{}", "application/json"),
    ],
)
async def test_hostile_forms_are_refused(
    reader: Client, body: bytes, kind: str
) -> None:
    for path in ("/sign-in", "/acme/costs", "/language", "/acme/health/replay"):
        async with reader.post(
            path, data=body, headers={"Content-Type": kind}, allow_redirects=False
        ) as response:
            assert response.status in (400, 403), (path, await response.text())


async def test_a_huge_form_is_refused(reader: Client) -> None:
    body = io.BytesIO(b"amount=" + b"1" * 2_000_000)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    async with reader.post("/acme/costs", data=body, headers=headers) as response:
        assert response.status == 413
