"""From a kept letter to a contact: what `inbox.Reader` calls for each event of door 'mail'.

What the alias meant was frozen when the letter came; here only the message is read, and only
a letter that a person wrote to an alias makes a contact. Forwarding neither waits for this
nor cares how it ends.
"""

from uuid import UUID

import msgspec

from mailrelay import messages
from mailrelay.parsing import Parser
from mailrelay.reception import Role
from tracker import contacts, inbox, letters
from tracker import db as database
from tracker.errors import Unreadable
from tracker.sites import Directory, Site


class Recipient(msgspec.Struct, frozen=True):
    """One of the letter's recipients as it was when the letter came."""

    role: Role
    address: str
    forward: UUID
    mailbox: int | None = None
    token: str = ""
    session: UUID | None = None
    source: int | None = None


class Envelope(msgspec.Struct, frozen=True):
    """What the conversation told, as `reception` froze it."""

    peer: str
    helo: str
    protocol: str
    mail_from: str
    single: bool  # it had one recipient in all
    digest: str
    recipients: list[Recipient]


def envelope(event: inbox.Event) -> Envelope:
    """The event's envelope; raises Unreadable."""
    try:
        return msgspec.convert(event.meta, Envelope)
    except msgspec.ValidationError as error:
        raise Unreadable(f"envelope: {error}") from error


class Letters:
    """Reads kept letters."""

    def __init__(self, directory: Directory, parser: Parser) -> None:
        self._directory = directory
        self._parser = parser

    async def read(self, db: database.Connection, event: inbox.Event) -> None:
        """Make the contacts of one letter, or mark what a bounce tells."""
        told = envelope(event)
        for recipient in told.recipients:
            if recipient.role == "return":
                await letters.bounced(db, recipient.token, at=event.received_at)
        aliases = [one for one in told.recipients if one.role == "alias"]
        if not aliases:
            return
        site = self._directory.by_id(event.site_id)
        if site is None:
            await self._directory.look_again()
            site = self._directory.by_id(event.site_id)
        if site is None:
            raise Unreadable("its site is no longer set up")
        facts = await self._parser.facts(
            event.body, mail_from=told.mail_from, region=site.rules.country
        )
        if facts.kind != "human":
            return
        for recipient in aliases:
            letter = _letter(event, told, recipient, facts, site)
            await contacts.capture_letter(db, site, letter, at=event.received_at)


def _letter(
    event: inbox.Event,
    told: Envelope,
    recipient: Recipient,
    facts: messages.Facts,
    site: Site,
) -> letters.Letter:
    own = _own_numbers(site)
    return letters.Letter(
        site_id=event.site_id,
        inbox_id=event.id,
        digest=told.digest,
        alias=recipient.address,
        token=recipient.token,
        mailbox_id=recipient.mailbox or 0,
        session_id=recipient.session,
        source_id=recipient.source,
        from_address=facts.from_address,
        from_name=facts.from_name,
        reply_to=facts.reply_to,
        phones=tuple(phone for phone in facts.phones if phone not in own),
        subject=facts.subject,
        text=facts.text,
        message_id=facts.message_id,
        size=len(event.body),
        attachments=facts.attachments,
        received_at=event.received_at,
    )


def _own_numbers(site: Site) -> set[str]:
    """The company's own phones, which customers quote."""
    replaced = [
        *(one.replaces for one in site.pools),
        *(one.replaces for one in site.statics),
    ]
    behind = [
        *(one.forward_to for one in site.pools),
        *(one.forward_to for one in site.statics),
    ]
    return set(site.numbers).union(*replaced, filter(None, behind))
