"""Letters: what is known of each, and its way on to the real mailbox.

`Letter` holds the facts of one letter for one alias: `mailrelay` reads them out of the raw
message, `contacts.capture_letter` makes a contact of them and calls `record`. A row of
`forwards` is owed to a mailbox for every recipient the relay accepted, contact or not;
`mailrelay.forwarder` claims it, tries, and writes what came back.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from tracker import db as database
from tracker import ids

RETURN_DAYS = timedelta(days=30)  # a return path is good for this long
ANSWER = 1000  # characters kept of what a mail server said


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file that came with a letter; only listed, never unpacked."""

    name: str
    type: str
    size: int  # bytes as decoded, or as they stand when that is not known


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One letter to one alias, every text safe for PostgreSQL and bounded."""

    site_id: int
    inbox_id: UUID
    digest: str  # SHA-256 of the message as it came, in hex
    alias: str  # the folded address that was written to
    token: str  # the alias's own part of it
    mailbox_id: int
    session_id: UUID | None  # as the alias meant when the letter came
    source_id: int | None  # of an alias that belongs to a source
    from_address: str  # '' when neither header nor envelope names one
    from_name: str
    reply_to: str  # '' when absent or not exactly one address
    phones: tuple[str, ...]  # E.164, in order of appearance
    subject: str
    text: str  # the first lines, without quotations
    message_id: str
    size: int  # bytes
    attachments: tuple[Attachment, ...]
    received_at: datetime

    @property
    def email(self) -> str:
        """Where an answer goes: website forms put the person into Reply-To."""
        return self.reply_to or self.from_address


def contact_id(letter: Letter) -> UUID:
    """The one contact of these bytes for this alias, however often they come."""
    return ids.natural(letter.site_id, "mail", letter.digest, letter.alias)


async def record(db: database.Db, letter: Letter, contact_id: UUID) -> None:
    """The letter's row beside its contact; told twice is harmless."""
    await db.execute(
        """
        INSERT INTO letters (site_id, contact_id, inbox_id, message_id, from_address,
                             from_name, subject, size, attachments)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT (site_id, contact_id) DO NOTHING
        """,
        letter.site_id,
        contact_id,
        letter.inbox_id,
        letter.message_id,
        letter.from_address,
        letter.from_name,
        letter.subject,
        letter.size,
        [
            {"name": one.name, "type": one.type, "size": one.size}
            for one in letter.attachments
        ],
    )


# The way on --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """A message that the relay is about to accept for one recipient."""

    site_id: int  # 0: the server's own, to the administrator
    id: UUID
    inbox_id: UUID
    digest: bytes  # SHA-256 of the message as it came
    recipient: str  # folded
    mailbox_id: int | None  # None: to the administrator
    mail_from: str  # '' for the null sender
    return_token: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Forward:
    """A letter claimed for one try."""

    site_id: int
    id: UUID
    inbox_id: UUID
    recipient: str
    mailbox_id: int | None
    mail_from: str
    return_token: str
    attempts: int  # this one included
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What one try was and what came back."""

    at: datetime
    seconds: float
    request: str  # the next hop, without secrets
    code: int | None = None
    answer: str = ""
    error: str | None = None  # None: the letter was taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Stuck:
    """A letter that is not getting through, for the Health page."""

    site_id: int
    id: UUID
    inbox_id: UUID
    recipient: str
    mailbox_id: int | None
    state: str  # owed, dead
    attempts: int
    created_at: datetime
    due_at: datetime
    last_code: int | None
    last_error: str | None
    bounced_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """How the queue stands."""

    owed: int
    oldest_at: datetime | None  # when the oldest letter still owed came
    dead: int
    died_at: datetime | None  # when the latest of the dead was given up


async def owe(db: database.Db, owed: Sequence[Owed]) -> set[UUID]:
    """Promise these letters to their mailboxes; returns the ids of those not known before.

    To be followed by the inbox rows in the same transaction. The commit reaches the disk
    even where the database's default is to let it lag.
    """
    rows = await db.fetch(
        """
        WITH durable AS (SELECT set_config('synchronous_commit', 'on', true))
        INSERT INTO forwards (site_id, id, inbox_id, digest, recipient, mailbox_id,
                              mail_from, return_token, created_at, due_at)
        SELECT u.*, u.created_at
          FROM unnest($1::int[], $2::uuid[], $3::uuid[], $4::bytea[], $5::text[],
                      $6::bigint[], $7::text[], $8::text[], $9::timestamptz[])
               AS u (site_id, id, inbox_id, digest, recipient, mailbox_id,
                     mail_from, return_token, created_at), durable
        ON CONFLICT (site_id, digest, recipient) DO NOTHING
        RETURNING id
        """,
        *database.columns(
            [
                (
                    one.site_id,
                    one.id,
                    one.inbox_id,
                    one.digest,
                    one.recipient,
                    one.mailbox_id,
                    one.mail_from,
                    one.return_token,
                    one.at,
                )
                for one in owed
            ],
            9,
        ),
    )
    return {row["id"] for row in rows}


async def known(
    db: database.Db, keys: Sequence[tuple[int, bytes, str]]
) -> dict[tuple[int, bytes, str], UUID]:
    """The inbox ids of messages that came before, by site, digest and recipient."""
    rows = await db.fetch(
        """
        SELECT f.site_id, f.digest, f.recipient, f.inbox_id
          FROM unnest($1::int[], $2::bytea[], $3::text[]) AS k (site_id, digest, recipient)
          JOIN forwards f USING (site_id, digest, recipient)
        """,
        *database.columns(keys, 3),
    )
    return {
        (row["site_id"], row["digest"], row["recipient"]): row["inbox_id"]
        for row in rows
    }


async def returned(db: database.Db, token: str, *, at: datetime) -> int | None:
    """The site whose letter left with this return path; None: forged or expired."""
    site_id: int | None = await db.fetchval(
        "SELECT site_id FROM forwards WHERE return_token = $1 AND created_at > $2",
        token,
        at - RETURN_DAYS,
    )
    return site_id


async def bounced(db: database.Db, token: str, *, at: datetime) -> None:
    """The mailbox refused a letter after having taken it."""
    await db.execute(
        "UPDATE forwards SET bounced_at = coalesce(bounced_at, $2) WHERE return_token = $1",
        token,
        at,
    )


async def claim(
    db: database.Db,
    *,
    at: datetime,
    lease: timedelta,
    most: int,
    busy: Collection[tuple[int, int]] = (),
    under_way: Collection[UUID] = (),
) -> list[Forward]:
    """Take due letters, the longest due first; they come due again when the lease ends.

    `busy` names the mailboxes (site, mailbox; 0 is the administrator's) that can take no
    more now, `under_way` the letters already in this process's hands.
    """
    rows = await db.fetch(
        """
        WITH due AS (
            SELECT site_id, id FROM forwards
             WHERE state = 'owed' AND due_at <= $1
               AND (site_id, coalesce(mailbox_id, 0)) NOT IN
                   (SELECT * FROM unnest($4::int[], $5::bigint[]))
               AND NOT id = ANY ($6::uuid[])
             ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED
        )
        UPDATE forwards f
           SET due_at = $1::timestamptz + $2::interval, attempts = attempts + 1
          FROM due WHERE f.site_id = due.site_id AND f.id = due.id
        RETURNING f.site_id, f.id, f.inbox_id, f.recipient, f.mailbox_id, f.mail_from,
                  f.return_token, f.attempts, f.created_at
        """,
        at,
        lease,
        most,
        *database.columns(list(busy), 2),
        list(under_way),
    )
    return [Forward(**row) for row in rows]


async def extend(
    db: database.Db, forwards: Collection[Forward], *, until: datetime
) -> None:
    """Keep letters that are under way from coming due; a dead process stops doing so."""
    await db.execute(
        """
        UPDATE forwards SET due_at = $3
         WHERE (site_id, id) IN (SELECT * FROM unnest($1::int[], $2::uuid[]))
           AND state = 'owed'
        """,
        *database.columns([(one.site_id, one.id) for one in forwards], 2),
        until,
    )


async def release(
    db: database.Db, forwards: Collection[Forward], *, due: datetime
) -> None:
    """Give back letters that were claimed but not tried."""
    await db.execute(
        """
        UPDATE forwards SET due_at = $3, attempts = greatest(attempts - 1, 0)
         WHERE (site_id, id) IN (SELECT * FROM unnest($1::int[], $2::uuid[]))
           AND state = 'owed'
        """,
        *database.columns([(one.site_id, one.id) for one in forwards], 2),
        due,
    )


async def settle(
    db: database.Db,
    forward: Forward,
    attempt: Attempt,
    *,
    due: datetime | None,
) -> None:
    """Write down a try: taken when it has no error, else due again then, or dead (None)."""
    failed = "dead" if due is None else "owed"
    state = "sent" if attempt.error is None else failed
    await db.execute(
        """
        WITH told AS (
            INSERT INTO attempts (site_id, owner_id, n, at, seconds, request, code, answer, error)
            SELECT $1, $2, 1 + count(*), $3, $4, $5, $6, $7, $8
              FROM attempts WHERE site_id = $1 AND owner_id = $2
        )
        UPDATE forwards
           SET state = $9, due_at = coalesce($10, $3::timestamptz), last_code = $6, last_error = $8,
               sent_at = CASE WHEN $9 = 'sent' THEN $3::timestamptz END
         WHERE site_id = $1 AND id = $2 AND state <> 'sent'
        """,
        forward.site_id,
        forward.id,
        attempt.at,
        attempt.seconds,
        attempt.request,
        attempt.code,
        _safe(attempt.answer),
        None if attempt.error is None else _safe(attempt.error),
        state,
        due,
    )


async def stuck(
    db: database.Db,
    *,
    at: datetime,
    site_id: int | None = None,
    older: timedelta = timedelta(minutes=15),
    most: int = 100,
) -> list[Stuck]:
    """Letters owed for longer than `older`, dead ones, and those that bounced lately."""
    rows = await db.fetch(
        """
        SELECT site_id, id, inbox_id, recipient, mailbox_id, state, attempts, created_at,
               due_at, last_code, last_error, bounced_at
          FROM forwards
         WHERE (state = 'dead' OR (state = 'owed' AND created_at <= $1)
                OR (bounced_at IS NOT NULL AND created_at > $4))
           AND ($2::int IS NULL OR site_id = $2)
         ORDER BY created_at LIMIT $3
        """,
        at - older,
        site_id,
        most,
        at - RETURN_DAYS,
    )
    return [Stuck(**row) for row in rows]


async def backlog(db: database.Db) -> Backlog:
    """How many letters wait and since when, how many are dead."""
    row = await db.fetchrow(
        """
        SELECT count(*) FILTER (WHERE state = 'owed') AS owed,
               min(created_at) FILTER (WHERE state = 'owed') AS oldest_at,
               count(*) FILTER (WHERE state = 'dead') AS dead,
               max(due_at) FILTER (WHERE state = 'dead') AS died_at
          FROM forwards WHERE state = 'owed' OR state = 'dead'
        """
    )
    assert row is not None  # an aggregate always has a row
    return Backlog(**row)


async def retry(
    db: database.Db,
    *,
    at: datetime,
    site_id: int | None = None,
    id_: UUID | None = None,
) -> int:
    """Try again at once: one letter, a site's, or all that wait or are dead; how many."""
    status = await db.execute(
        """
        UPDATE forwards SET state = 'owed', due_at = $1, attempts = 0
         WHERE state IN ('owed', 'dead')
           AND ($2::int IS NULL OR site_id = $2) AND ($3::uuid IS NULL OR id = $3)
        """,
        at,
        site_id,
        id_,
    )
    return int(status.split()[-1])


async def attempts(db: database.Db, site_id: int, id_: UUID) -> list[dict[str, Any]]:
    """Every try of one letter, the first first."""
    rows = await db.fetch(
        """
        SELECT n, at, seconds, request, code, answer, error
          FROM attempts WHERE site_id = $1 AND owner_id = $2 ORDER BY n
        """,
        site_id,
        id_,
    )
    return [dict(row) for row in rows]


def _safe(text: str) -> str:
    """Another server's words as PostgreSQL can hold them."""
    return text[:ANSWER].replace("\0", "").encode("utf-8", "replace").decode()
