"""Who is written to, and the promise that a letter is kept: the door's way to PostgreSQL.

Look-ups and letters that are in the air at the same moment share a statement or a commit.
What an alias means is frozen in the letter's `meta` when it comes: a session that expires
later changes nothing.
"""

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import asyncpg

from mailrelay import addresses, replies, rewrite
from numberpool import aliases
from tracker import db as database
from tracker import ids, inbox, letters
from tracker.errors import Unavailable, UnknownAddress
from tracker.sites import Directory
from tracker.together import Together

log = logging.getLogger(__name__)

PATIENCE = 10.0  # seconds for one statement or one batch
SMALL = 256 * 1024  # bytes; larger letters are committed alone, a few at a time
LARGE_AT_ONCE = 2
REMEMBERED = (
    5.0  # seconds a known alias is not looked up again; a retired one lives as long
)
REMEMBERED_MOST = 10_000
OPERATOR = ("postmaster", "abuse")  # RFC 5321 section 4.5.1, RFC 2142
AWAY = (*database.AWAY, asyncpg.PostgresError)  # whatever is wrong, it is ours: 4xx

Role = Literal["alias", "return", "operator"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """An address we take mail for, and what it means now."""

    role: Role
    address: str  # folded
    site_id: int = 0  # 0: the server's own
    mailbox_id: int | None = None  # None: the administrator's
    token: str = ""
    session_id: UUID | None = None
    source_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A message as it was received, with its envelope."""

    content: bytes
    mail_from: str  # '' for the null sender
    recipients: tuple[Recipient, ...]
    peer: str
    helo: str
    protocol: str  # SMTP, ESMTP, ESMTPS
    at: datetime


@dataclass(slots=True)
class _Post:
    """One arrival's rows for one site."""

    event: inbox.Event
    owed: list[letters.Owed]


class Reception:
    """Answers the conversation's two questions: is this ours, and is it safe?"""

    def __init__(
        self, pool: database.Pool, directory: Directory, *, domain: str, host: str
    ) -> None:
        self._pool = pool
        self._directory = directory
        self._domain = domain
        self._host = host
        self._known: dict[str, tuple[float, Recipient]] = {}
        self._lookups: Together[str, aliases.Found | None] = Together(
            self._look_up, at_once=2
        )
        self._small: Together[Arrival, UUID] = Together(self._keep, most=100, at_once=2)
        self._large = asyncio.Semaphore(LARGE_AT_ONCE)
        self._listeners: tuple[Callable[[], None], ...] = ()

    def on_kept(self, *listeners: Callable[[], None]) -> None:
        """Call these after letters were committed."""
        self._listeners = listeners

    async def recipient(self, address: str, *, null: bool, at: datetime) -> Recipient:
        """What this address means; raises Refusal, UnknownAddress or Unavailable."""
        local, domain = addresses.fold(address)
        if domain not in (self._domain, self._host, ""):
            raise replies.Refusal(replies.NO_RELAYING)
        folded = f"{local}@{domain or self._domain}"
        if local in OPERATOR:
            return Recipient(role="operator", address=folded)
        if domain != self._domain:
            raise UnknownAddress("no such address here")
        back = rewrite.returned_token(local)
        if back is not None:
            return await self._return(back, folded, null=null, at=at)
        return await self._alias(local, folded)

    async def _return(
        self, token: str, folded: str, *, null: bool, at: datetime
    ) -> Recipient:
        if not null:  # a harvested return path must not become a way in
            raise replies.Refusal(replies.BAD_RETURN_PATH)
        try:
            async with asyncio.timeout(PATIENCE):
                site_id = await letters.returned(self._pool, token, at=at)
        except AWAY as error:
            raise Unavailable("PostgreSQL is away") from error
        if site_id is None:
            raise replies.Refusal(replies.BAD_RETURN_PATH)
        return Recipient(role="return", address=folded, site_id=site_id, token=token)

    async def _alias(self, local: str, folded: str) -> Recipient:
        token = aliases.parse(local)
        if token is None:  # the check symbol spares the database all junk
            raise UnknownAddress("no such address here")
        moment = time.monotonic()
        remembered = self._known.get(folded)
        if remembered is not None and remembered[0] > moment:
            return remembered[1]
        found = await self._lookups.add(token)
        if found is None or found.retired:
            raise UnknownAddress("no such address here")
        await self._expect_site(found.site_id)
        recipient = Recipient(
            role="alias",
            address=folded,
            site_id=found.site_id,
            mailbox_id=found.mailbox_id,
            token=token,
            session_id=found.session_id,
            source_id=found.source_id,
        )
        if len(self._known) >= REMEMBERED_MOST:
            self._known.clear()
        self._known[folded] = (moment + REMEMBERED, recipient)
        return recipient

    async def _expect_site(self, site_id: int) -> None:
        """An alias of a site that was taken away is unknown; one we cannot judge waits."""
        if self._directory.by_id(site_id) is not None:
            return
        before = self._directory.now
        await self._directory.look_again()
        if self._directory.by_id(site_id) is not None:
            return
        if self._directory.now is before:  # it could not be read anew just now
            raise Unavailable("the set-up is not known")
        raise UnknownAddress("no such address here")

    async def _look_up(self, tokens: list[str]) -> list[aliases.Found | None]:
        try:
            async with asyncio.timeout(PATIENCE):
                found = await aliases.find_all(self._pool, tokens)
        except AWAY as error:
            raise Unavailable("PostgreSQL is away") from error
        return [found.get(token) for token in tokens]

    async def keep(self, arrival: Arrival) -> UUID:
        """Commit the letter; returns its id, the old one when it came before.

        Raises Unavailable, and then nothing was kept. A caller that goes away does not
        take the letter with it.
        """
        if len(arrival.content) <= SMALL:
            return await self._small.add(arrival)
        return await asyncio.shield(self._keep_large(arrival))

    async def finish(self) -> None:
        """Wait until everything under way is committed."""
        await self._small.finish()
        for _ in range(LARGE_AT_ONCE):
            await self._large.acquire()
        for _ in range(LARGE_AT_ONCE):
            self._large.release()

    async def _keep_large(self, arrival: Arrival) -> UUID:
        async with self._large:
            return (await self._keep([arrival]))[0]

    async def _keep(self, arrivals: list[Arrival]) -> list[UUID]:
        """All of them in one transaction."""
        posts = [_posts(arrival) for arrival in arrivals]
        flat = [post for group in posts for post in group]
        try:
            async with (
                asyncio.timeout(PATIENCE),
                self._pool.acquire() as db,
                db.transaction(),
            ):
                fresh = await letters.owe(
                    db, [one for post in flat for one in post.owed]
                )
                events = [event for post in flat if (event := _event(post, fresh))]
                if events:
                    await inbox.keep(db, events)
                old = [
                    (one.site_id, one.digest, one.recipient)
                    for group in posts
                    for one in group[0].owed[:1]
                    if one.id not in fresh
                ]
                before = await letters.known(db, old) if old else {}
        except asyncpg.DiskFullError as error:
            raise replies.Refusal(replies.STORAGE_FULL) from error
        except AWAY as error:
            log.warning(
                "letters not kept: PostgreSQL is away", extra={"letters": len(flat)}
            )
            raise Unavailable("PostgreSQL is away") from error
        for listener in self._listeners:
            listener()
        return [_answer(group[0], before) for group in posts]


def _answer(post: _Post, before: dict[tuple[int, bytes, str], UUID]) -> UUID:
    """The id a message is known by: that of its first copy."""
    first = post.owed[0]
    return before.get((first.site_id, first.digest, first.recipient), post.event.id)


def _posts(arrival: Arrival) -> list[_Post]:
    """The rows of one arrival, a group for each site its recipients belong to."""
    digest = hashlib.sha256(arrival.content).digest()
    by_site: dict[int, dict[str, Recipient]] = {}
    for recipient in arrival.recipients:
        by_site.setdefault(recipient.site_id, {})[recipient.address] = recipient
    return [
        _post(arrival, digest, site_id, list(group.values()))
        for site_id, group in by_site.items()
    ]


def _post(
    arrival: Arrival, digest: bytes, site_id: int, recipients: Sequence[Recipient]
) -> _Post:
    inbox_id = ids.mint(site_id, arrival.at)
    owed = [
        letters.Owed(
            site_id=site_id,
            id=ids.mint(site_id, arrival.at),
            inbox_id=inbox_id,
            digest=digest,
            recipient=recipient.address,
            mailbox_id=recipient.mailbox_id,
            mail_from=arrival.mail_from,
            return_token=rewrite.mint_token(),
            at=arrival.at,
        )
        for recipient in recipients
    ]
    event = inbox.Event(
        site_id=site_id,
        id=inbox_id,
        door="mail",
        kind="smtp",
        connection_id=None,
        received_at=arrival.at,
        meta={
            "peer": arrival.peer,
            "helo": arrival.helo[:255],
            "protocol": arrival.protocol,
            "mail_from": arrival.mail_from,
            "single": len(arrival.recipients) == 1,
            "digest": digest.hex(),
            "recipients": [
                _frozen(recipient, one.id)
                for recipient, one in zip(recipients, owed, strict=True)
            ],
        },
        body=arrival.content,
    )
    return _Post(event, owed)


def _frozen(recipient: Recipient, forward_id: UUID) -> dict[str, Any]:
    """What `reading` needs to know later, as it is now."""
    return {
        "role": recipient.role,
        "address": recipient.address,
        "mailbox": recipient.mailbox_id,
        "token": recipient.token,
        "session": recipient.session_id and str(recipient.session_id),
        "source": recipient.source_id,
        "forward": str(forward_id),
    }


def _event(post: _Post, fresh: set[UUID]) -> inbox.Event | None:
    """The event with only the recipients that are new; None when all had it before."""
    if all(one.id in fresh for one in post.owed):
        return post.event
    new = {str(one.id) for one in post.owed if one.id in fresh}
    if not new:
        return None
    frozen = [one for one in post.event.meta["recipients"] if one["forward"] in new]
    post.event.meta["recipients"] = frozen
    return post.event
