"""A request to be called back, as people read it."""

from datetime import UTC, datetime

from tests.web.dashboard import make, reading
from tests.web.dashboard.conftest import Client

NOW = datetime.now(UTC).replace(microsecond=0)


async def test_a_request_to_be_called_back_is_called_so(
    reader: Client, world: make.World
) -> None:
    id_ = await make.contact(world, at=NOW, kind="form", channel="callback")
    await world.db.execute(
        """UPDATE contacts SET fields = '{"call_at": "2026-03-02 15:00"}'"""
    )

    text = reading.words(await reading.page(reader, f"/acme/contacts/{id_}"))
    assert "Callback request" in text
    assert "Call back at 2026-03-02 15:00" in text
    assert "Callback request" in await reading.page(reader, "/acme/contacts")
