"""What owners set up, kept in memory by every process that answers quickly.

Read from PostgreSQL at the start, again whenever a change is told (`NOTIFY skvoz_config`)
and every half minute; with PostgreSQL away the last known set-up goes on serving.
`tracker/provision.py` writes these tables.
"""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import asyncpg
import msgspec

from numberpool import pools, targeting
from tracker import db
from tracker.seal import Seal
from tracker.snippet_rules import Snippet, Widget

log = logging.getLogger(__name__)

REFRESH = 30.0  # seconds; a notification may be lost
RETRY = 1.0  # seconds between tries while PostgreSQL is away
PATIENCE = 5.0  # seconds one load may take


class Rules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """A site's own settings, each with its default; kept in `sites.settings`."""

    session_minutes: int = 30
    lookback_days: int = 90  # of the last significant source
    lead_days: int = 30  # contacts of one person within this belong to one lead
    lease_seconds: int = 1800
    beat_seconds: int = 30
    country: str = "RU"  # how local spellings of phones are read
    excluded_referrers: list[str] = []  # payment pages and the like: never a source
    # Own pages that are read once a day to see whether a tracking number stands in them.
    crawl: Annotated[list[str], msgspec.Meta(max_length=50)] = []
    # Expected share of calls attributed rightly, below which the owner is told; 0: never.
    accuracy_alert: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0
    snippet: Snippet = Snippet()
    widget: Widget = Widget()


@dataclass(frozen=True, slots=True, kw_only=True)
class Static:
    """A number that belongs to a source, e.g. a billboard's."""

    number: str
    source_id: int
    source: dict[str, str]  # channel, source, medium, campaign, content, term
    replaces: tuple[str, ...]
    forward_to: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailbox:
    """A real mailbox behind the aliases."""

    id: int
    replaces: tuple[str, ...]
    forward_to: str
    next_hop: str  # smtp://[user:password@]host[:port]; secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """An account at a telephony provider, or a destination."""

    site_id: int
    id: int
    role: str  # telephony, destination
    name: str
    kind: str
    key: str  # stands in the hook's address
    settings: dict[str, Any]  # secrets among them; never logged


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialled:
    """What a tracking number means when it is called."""

    number: str
    kind: str  # dynamic, static, overflow
    pool: pools.Pool | None
    source_id: int | None
    forward_to: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A tracked website with everything its owner set up."""

    id: int
    key: str
    name: str
    domains: tuple[str, ...]
    timezone: ZoneInfo
    currency: str
    demo: bool
    rules: Rules
    # By what it replaces; a choice where it depends on the visit.
    pool_of: "dict[str, pools.Pool | pools.Choice]" = field(default_factory=dict)
    pools: "tuple[pools.Pool, ...]" = ()  # quoted: the field hides the module
    statics: tuple[Static, ...] = ()
    mailboxes: tuple[Mailbox, ...] = ()
    connections: tuple[Connection, ...] = ()
    numbers: dict[str, Dialled] = field(default_factory=dict)  # by E.164
    mailbox_of: dict[str, Mailbox] = field(default_factory=dict)  # likewise, lower case
    regional: bool = False  # whether it matters where a visitor is

    @property
    def lead_window(self) -> timedelta:
        return timedelta(days=self.rules.lead_days)

    @property
    def lookback(self) -> timedelta:
        return timedelta(days=self.rules.lookback_days)

    def reached(self, public_url: str) -> str:
        """The address under which this site's pages know the server."""
        return self.rules.snippet.address or public_url

    def mailbox(self, id_: int) -> Mailbox | None:
        return next((box for box in self.mailboxes if box.id == id_), None)

    def connection(self, id_: int) -> Connection | None:
        return next((one for one in self.connections if one.id == id_), None)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that was set up at one moment."""

    by_key: dict[str, Site]
    by_id: dict[int, Site]
    hooks: dict[str, Connection]  # by the key in the hook's address


EMPTY = Snapshot({}, {}, {})


class Directory:
    """The set-up in memory; `now` is always a whole, consistent snapshot."""

    def __init__(self, pool: db.Pool, seal: Seal) -> None:
        self.now = EMPTY
        self._pool = pool
        self._seal = seal
        self.ready = asyncio.Event()  # it was read at least once
        self._changed = asyncio.Event()
        self._lock = asyncio.Lock()
        self._looked = -REFRESH

    def site(self, key: str) -> Site | None:
        return self.now.by_key.get(key)

    def by_id(self, id_: int) -> Site | None:
        return self.now.by_id.get(id_)

    def hook(self, key: str) -> Connection | None:
        return self.now.hooks.get(key)

    async def load(self) -> None:
        """Read everything anew; raises what asyncpg raises."""
        async with self._lock:
            self.now = await load(self._pool, self._seal)
            self.ready.set()

    async def look_again(self) -> None:
        """Read anew for a key that is not known; at most once a second, and quietly."""
        moment = asyncio.get_running_loop().time()
        if moment - self._looked < RETRY:
            return
        self._looked = moment
        try:
            await asyncio.wait_for(self.load(), PATIENCE)
        except db.AWAY:
            log.warning("set-up not read anew: PostgreSQL is away")

    async def follow(self) -> None:
        """Keep up with changes until cancelled."""
        while True:
            try:
                async with self._pool.acquire() as connection:
                    await connection.add_listener("skvoz_config", self._told)
                    try:
                        while not connection.is_closed():
                            self._changed.clear()
                            await asyncio.wait_for(self.load(), PATIENCE)
                            await self._wait()
                    finally:
                        await connection.remove_listener("skvoz_config", self._told)
            except db.AWAY:
                log.warning("set-up not followed: PostgreSQL is away")
                await asyncio.sleep(RETRY)

    async def _wait(self) -> None:
        try:
            await asyncio.wait_for(self._changed.wait(), REFRESH)
        except TimeoutError:
            return

    def _told(self, *_: object) -> None:
        self._changed.set()


async def load(pool: db.Pool, seal: Seal) -> Snapshot:
    """Everything that is set up, in one consistent reading."""
    async with (
        pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        sites = await connection.fetch("SELECT * FROM sites")
        pool_rows = await connection.fetch(
            "SELECT * FROM pools ORDER BY site_id, position, id"
        )
        number_rows = await connection.fetch(
            """
            SELECT n.*, s.channel, s.source, s.medium, s.campaign, s.content, s.term
              FROM numbers n
              LEFT JOIN sources s ON s.site_id = n.site_id AND s.id = n.source_id
             ORDER BY n.site_id, n.position, n.number
            """
        )
        mailbox_rows = await connection.fetch("SELECT * FROM mailboxes ORDER BY id")
        connection_rows = await connection.fetch(
            "SELECT * FROM connections ORDER BY id"
        )
    connections = [_connection(row, seal) for row in connection_rows]
    built = [
        _site(
            row,
            _of(pool_rows, row["id"]),
            _of(number_rows, row["id"]),
            [_mailbox(box, seal) for box in _of(mailbox_rows, row["id"])],
            [one for one in connections if one.site_id == row["id"]],
        )
        for row in sites
    ]
    return Snapshot(
        by_key={site.key: site for site in built},
        by_id={site.id: site for site in built},
        hooks={one.key: one for one in connections},
    )


def _of(rows: Iterable[asyncpg.Record], site_id: int) -> list[asyncpg.Record]:
    return [row for row in rows if row["site_id"] == site_id]


def _site(
    row: asyncpg.Record,
    pool_rows: list[asyncpg.Record],
    number_rows: list[asyncpg.Record],
    mailboxes: list[Mailbox],
    connections: list[Connection],
) -> Site:
    found = {one["id"]: _pool(one, number_rows) for one in pool_rows}
    # A retired pool lends no more, but late calls to its numbers still know it.
    live = tuple(found[one["id"]] for one in pool_rows if one["retired_at"] is None)
    return Site(
        id=row["id"],
        key=row["key"],
        name=row["name"],
        domains=tuple(row["domains"]),
        timezone=ZoneInfo(row["timezone"]),
        currency=row["currency"],
        demo=row["demo"],
        rules=msgspec.convert(row["settings"], Rules),
        pools=live,
        pool_of=pools.replacing(live),
        regional=any(pool.target and pool.target.regions for pool in live),
        mailbox_of={
            address.casefold(): box for box in mailboxes for address in box.replaces
        },
        statics=tuple(
            _static(one)
            for one in number_rows
            if one["kind"] == "static" and one["retired_at"] is None
        ),
        mailboxes=tuple(mailboxes),
        connections=tuple(connections),
        # A retired number still means what it meant: late calls are attributed.
        numbers={one["number"]: _dialled(one, found) for one in number_rows},
    )


def _pool(row: asyncpg.Record, number_rows: list[asyncpg.Record]) -> pools.Pool:
    own = [
        one
        for one in number_rows
        if one["pool_id"] == row["id"]
        and one["kind"] == "dynamic"
        and one["retired_at"] is None
    ]
    return pools.Pool(
        site_id=row["site_id"],
        id=row["id"],
        name=row["name"],
        replaces=tuple(row["replaces"]),
        forward_to=row["forward_to"],
        share=row["share"],
        late=row["late"],
        rest=row["rest"],
        overflow=row["overflow"],
        target=target(row["target"]),
        numbers=tuple((one["position"], one["number"]) for one in own),
        resting=frozenset(one["number"] for one in own if one["resting"]),
    )


def target(told: dict[str, Any] | None) -> targeting.Target | None:
    """Whom a pool is for, from its column."""
    return None if told is None else msgspec.convert(told, targeting.Target)


def _static(row: asyncpg.Record) -> Static:
    labels = ("channel", "source", "medium", "campaign", "content", "term")
    return Static(
        number=row["number"],
        source_id=row["source_id"],
        source={label: row[label] or "" for label in labels},
        replaces=tuple(row["replaces"]),
        forward_to=row["forward_to"],
    )


def _dialled(row: asyncpg.Record, found: dict[int, pools.Pool]) -> Dialled:
    pool = found.get(row["pool_id"])
    return Dialled(
        number=row["number"],
        kind=row["kind"],
        pool=pool,
        source_id=row["source_id"],
        forward_to=row["forward_to"] or (pool.forward_to if pool else None),
    )


def _mailbox(row: asyncpg.Record, seal: Seal) -> Mailbox:
    return Mailbox(
        id=row["id"],
        replaces=tuple(row["replaces"]),
        forward_to=row["forward_to"],
        next_hop=seal.open(row["next_hop"]),
    )


def _connection(row: asyncpg.Record, seal: Seal) -> Connection:
    return Connection(
        site_id=row["site_id"],
        id=row["id"],
        role=row["role"],
        name=row["name"],
        kind=row["kind"],
        key=row["key"],
        settings=seal.open(row["settings"]),
    )
