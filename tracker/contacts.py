"""The one place where a call, a letter or a form becomes a contact.

Every door ends here. In one transaction: the candidates are found, the person is found or
made, the open lead is joined or a new one opened, and the contact is written together with
its attribution and everything owed because of it. Being told twice changes nothing.
"""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from tracker import (
    calls,
    contact_rows,
    deliveries,
    ids,
    leads,
    letters,
    matching,
    people,
    stale,
)
from tracker import db as database
from tracker.errors import BadInput
from tracker.sites import Directory, Site

EXCLUSIONS = ("spam", "test", "staff")
FORMS = ("form", "callback")  # every other channel of `/v1/contacts` is a message
TEXT = 4000  # characters of a message kept with the contact


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A form, chat or messenger contact as `/v1/contacts` took it."""

    id: str  # made by the client: told twice is one contact
    channel: str
    at: datetime
    session_id: UUID | None = None
    visitor_id: UUID | None = None
    url: str = ""
    referrer: str = ""
    name: str = ""
    phone: str | None = None  # E.164
    email: str = ""
    text: str = ""
    fields: dict[str, str] = field(default_factory=dict)


def form_id(site_id: int, channel: str, client_id: str) -> UUID:
    """The contact's id, known before it is captured."""
    return ids.natural(site_id, "form", channel, client_id)


async def capture_call(
    db: database.Connection,
    site: Site,
    connection_id: int,
    event: calls.CallEvent,
    *,
    at: datetime,
) -> UUID | None:
    """Join the event to its call; once it is known who called which number, a contact.

    Returns the contact's id, or None while there is none: an outgoing call, or one of which
    too little is known (`tend_calls` does not wait for ever).
    """
    contact_id = calls.contact_id(site.id, connection_id, event.call_key)
    merged = await calls.merge(
        db,
        site_id=site.id,
        connection_id=connection_id,
        contact_id=contact_id,
        event=event,
    )
    call = merged.call
    if await contact_rows.exists(db, site.id, contact_id):
        if merged.changed:
            await _changed(db, site, contact_id, revision=call.revision, at=at)
    elif call.direction != "inbound" or not call.is_told:
        return None
    else:
        await _make_call(db, site, call, at=at)
    return contact_id


async def tend_calls(
    db: database.Connection, directory: Directory, *, at: datetime
) -> None:
    """Calls that nobody ended are taken for ended; half-told ones become contacts as they are.

    Must run inside a transaction.
    """
    for closed in await calls.close_stale(db, at=at):
        site = directory.by_id(closed.site_id)
        if site is not None:
            await _changed(
                db, site, closed.call.contact_id, revision=closed.call.revision, at=at
            )
    for site_id, call in await calls.without_contact(db, at=at):
        site = directory.by_id(site_id)
        if site is not None:
            await _make_call(db, site, call, at=at)


async def _make_call(
    db: database.Connection, site: Site, call: calls.Call, *, at: datetime
) -> None:
    match = await matching.of_call(
        db,
        site,
        site.numbers.get(call.tracked or ""),
        call_id=call.contact_id,
        caller=call.caller,
        at=call.started_at,
    )
    contact = contact_rows.Contact(
        id=call.contact_id,
        channel="phone",
        kind="call",
        at=call.started_at,
        phones=[call.caller] if call.caller else [],
        caller=call.caller,
        number=call.tracked,
    )
    await _write(db, site, contact, match, at=at)


async def capture_letter(
    db: database.Connection, site: Site, letter: letters.Letter, *, at: datetime
) -> UUID:
    """A letter to an alias; the alias names the session."""
    contact_id = letters.contact_id(letter)
    if await contact_rows.exists(db, site.id, contact_id):
        return contact_id
    match = await matching.of_alias(
        db, site, session_id=letter.session_id, source_id=letter.source_id
    )
    contact = contact_rows.Contact(
        id=contact_id,
        channel="email",
        kind="email",
        at=letter.received_at,
        phones=letter.phones,
        emails=[letter.email] if letter.email else [],
        alias=letter.alias,
        name=letter.from_name,
        text=letter.text[:TEXT],
    )
    await _write(db, site, contact, match, at=at)
    await letters.record(db, letter, contact_id)
    return contact_id


async def capture_form(
    db: database.Connection, site: Site, form: Form, *, at: datetime
) -> UUID:
    """A form, chat or message; the session, the visitor or the landing tells its source."""
    contact_id = form_id(site.id, form.channel, form.id)
    if await contact_rows.exists(db, site.id, contact_id):
        return contact_id
    contact = contact_rows.Contact(
        id=contact_id,
        channel=form.channel,
        kind="form" if form.channel in FORMS else "message",
        at=form.at,
        phones=[form.phone] if form.phone else [],
        emails=[form.email] if form.email else [],
        name=form.name,
        text=form.text[:TEXT],
        fields=form.fields,
    )
    await _write(db, site, contact, await _match_form(db, site, form), at=at)
    return contact_id


async def _match_form(
    db: database.Connection, site: Site, form: Form
) -> matching.Match:
    match = matching.UNKNOWN
    if form.session_id is not None:
        match = await matching.of_session(db, site, form.session_id)
    if not match.candidates and form.visitor_id is not None:
        match = await matching.of_visitor(db, site, form.visitor_id, at=form.at)
    if not match.candidates and form.url:
        match = await matching.of_landing(db, site, form.url, form.referrer)
    return match


async def exclude(
    db: database.Connection,
    site: Site,
    contact_id: UUID,
    reason: str | None,
    *,
    at: datetime,
) -> None:
    """Leave the contact out of all figures (spam, test, staff), or take it back (None)."""
    if reason is not None and reason not in EXCLUSIONS:
        raise BadInput(f"must be one of {', '.join(EXCLUSIONS)}", field="excluded")
    moment = await contact_rows.set_excluded(db, site.id, contact_id, reason, at=at)
    await stale.mark(db, site, moment)


async def _write(
    db: database.Connection,
    site: Site,
    contact: contact_rows.Contact,
    match: matching.Match,
    *,
    at: datetime,
) -> None:
    """The contact with all that hangs on it."""
    person_id = await people.find_or_make(
        db,
        site.id,
        phones=contact.phones,
        emails=contact.emails,
        visitors=match.own_visitors,
        name=contact.name,
        seed=contact.id,
        at=contact.at,
    )
    excluded = "test" if match.test else None
    lead_id, opened = None, False
    if excluded is None:
        lead_id, opened = await leads.join(
            db, site, person_id, contact.id, at=contact.at
        )
    await contact_rows.insert(
        db, site.id, contact, match, person_id, lead_id, excluded, at
    )
    await contact_rows.attribute(db, site.id, contact.id, match)
    await stale.mark(db, site, contact.at)
    if lead_id is not None:
        await _owe(db, site, contact.id, lead_id, opened, contact.at)


async def _owe(
    db: database.Connection,
    site: Site,
    contact_id: UUID,
    lead_id: UUID,
    opened: bool,
    at: datetime,
) -> None:
    if opened:
        await deliveries.owe(
            db,
            site,
            event="lead.created",
            key=f"lead:{lead_id}:created",
            lead_id=lead_id,
            contact_id=contact_id,
            at=at,
        )
    await deliveries.owe(
        db,
        site,
        event="contact.created",
        key=f"contact:{contact_id}:created",
        lead_id=lead_id,
        contact_id=contact_id,
        at=at,
    )


async def _changed(
    db: database.Connection,
    site: Site,
    contact_id: UUID,
    *,
    revision: str,
    at: datetime,
) -> None:
    row = await contact_rows.touch(db, site.id, contact_id, at=at)
    if row is None:
        return
    await stale.mark(db, site, row["at"])
    if row["lead_id"] is not None:
        await deliveries.owe(
            db,
            site,
            event="contact.updated",
            key=f"contact:{contact_id}:{revision}",
            lead_id=row["lead_id"],
            contact_id=contact_id,
            at=at,
        )
