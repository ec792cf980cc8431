"""Letters: what is known of each, and its way on to the real mailbox.

`Letter` holds the facts of one letter for one recipient: `mailrelay` reads them out of the
raw message, `contacts.capture_letter` makes a contact of them and calls `keep`. A row of
`forwards` is owed to the mailbox for every recipient the relay accepted, contact or not.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tracker import db as database
from tracker import ids


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
    recipient: str  # the folded address that was written to
    token: str  # the alias's own
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
    def contact_id(self) -> UUID:
        """Natural key: these bytes for this recipient."""
        return ids.natural(self.site_id, "mail", self.digest, self.recipient)

    @property
    def email(self) -> str:
        """Where an answer goes: website forms put the person into Reply-To."""
        return self.reply_to or self.from_address


async def keep(db: database.Db, contact_id: UUID, letter: Letter) -> None:
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
