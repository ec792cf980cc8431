"""Bitrix24: a lead or a deal for each of our leads, and an activity for each contact.

Nothing is made twice: our own object is remembered, else found by `ORIGIN_ID`, else an open
one of the same phone or email is taken up, and only then one is added. Source fields are
written only from a source that is certain enough; otherwise the candidates stand in the
comment, for a wrong source is worse than none.
https://github.com/bitrix24/b24restdocs, api-reference/crm
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

import msgspec

from tracker.destinations import bitrix24_fields as fields
from tracker.destinations.base import (
    A_DAY,
    SECRET,
    Label,
    Parcel,
    Schedule,
    Share,
)
from tracker.destinations.bitrix24_rest import Portal, Refused
from tracker.destinations.wire import Wire
from tracker.errors import BadInput, DeliveryFailed

EVENTS = frozenset({"contact.created", "contact.updated"})
SOURCES = {
    "phone": "CALL",
    "email": "EMAIL",
    "form": "WEBFORM",
    "callback": "CALLBACK",
}
OWNER_TYPES = {"lead": 1, "deal": 2}
REMEMBERED_COMMENTS = 50  # how far back a comment of ours is looked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Bitrix24:
    """A portal's inbound webhook, and what is made there."""

    kind: ClassVar[str] = "bitrix24"
    events: ClassVar[frozenset[str]] = EVENTS
    schedule: ClassVar[Schedule] = A_DAY
    ordered: ClassVar[bool] = True
    at_once: ClassVar[int] = 1  # the portal counts parallel calls together anyway

    url: Annotated[
        str,
        msgspec.Meta(
            pattern=r"^https?://[^\s/]+/rest/\d+/[^\s/]+/?$",
            max_length=500,
            extra=SECRET,
        ),
    ]
    entity: Literal["lead", "deal"] = "lead"
    category_id: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 0  # a deal's funnel
    assigned_by_id: Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)] = 1
    source_id: Label = ""  # empty: by the contact's channel
    language: Literal["ru", "en"] = "ru"  # of titles and comments
    min_certainty: Share = 0.5  # below it no source fields are written
    requests_per_second: Annotated[float, msgspec.Meta(ge=0.1, le=50)] = 2.0
    poll_deals: bool = True
    poll_minutes: Annotated[int, msgspec.Meta(ge=1, le=60)] = 10

    def check(self) -> None:
        if urlsplit(self.url).query:
            raise BadInput("must end after the secret", field="url")

    def secrets(self) -> tuple[str, ...]:
        return (self.url.rstrip("/").rpartition("/")[2],)

    def wants(self, event: str) -> bool:
        return event in EVENTS

    def first_due(self, at: datetime) -> datetime:
        return at

    def portal(self, wire: Wire, now: datetime) -> Portal:
        """The portal over this line."""
        return Portal(url=self.url, rate=self.requests_per_second, wire=wire, now=now)

    async def send(self, parcel: Parcel, wire: Wire) -> None:
        if parcel.lead_id is None or parcel.contact_id is None:
            raise DeliveryFailed("the contact has no lead", permanent=True)
        portal = self.portal(wire, parcel.now)
        owner = await self._owner(portal, parcel)
        wire.remember(self.entity, parcel.lead_id, owner)
        if fields.has_activity(parcel):
            await self._activity(portal, parcel, owner)
        elif parcel.kind != "call" or fields.ended(parcel):
            await self._comment(portal, parcel, owner)

    # The lead or deal -----------------------------------------------------------------

    async def _owner(self, portal: Portal, parcel: Parcel) -> str:
        """The id of the lead or deal there; found, else made."""
        known = parcel.known(self.entity, parcel.lead_id)
        if known and await portal.find(f"crm.{self.entity}.get", known):
            return known
        found = await self._by_origin(portal, parcel)
        contact = None
        if found is None:
            contact = await self._contact(portal, parcel)
            found = await self._open_one(portal, parcel, contact)
        if found is None:
            return await self._add(portal, parcel, contact)
        await self._enrich(portal, parcel, found)
        return str(found["ID"])

    async def _by_origin(self, portal: Portal, parcel: Parcel) -> dict[str, Any] | None:
        origin = {"ORIGINATOR_ID": fields.ORIGINATOR, "ORIGIN_ID": str(parcel.lead_id)}
        return await self._first(portal, origin)

    async def _open_one(
        self, portal: Portal, parcel: Parcel, contact: str | None
    ) -> dict[str, Any] | None:
        """An open lead or deal of the same customer that others have made."""
        if self.entity == "deal":
            if contact is None:
                return None
            condition = {"CONTACT_ID": contact, "CATEGORY_ID": self.category_id}
            return await self._first(portal, condition | {"CLOSED": "N"})
        leads = await _duplicates(portal, parcel, "LEAD")
        if not leads:
            return None
        return await self._first(portal, {"@ID": leads, "STATUS_SEMANTIC_ID": "P"})

    async def _first(
        self, portal: Portal, condition: dict[str, Any]
    ) -> dict[str, Any] | None:
        rows = await portal.rows(
            f"crm.{self.entity}.list",
            filter=condition,
            select=["ID", "UTM_SOURCE"],
            order={"ID": "DESC"},
        )
        return next((row for row in rows if row.get("ID")), None)

    async def _contact(self, portal: Portal, parcel: Parcel) -> str | None:
        """The customer's card; made only where deals are wanted, for leads carry phones."""
        person = parcel.person
        if person is None:
            return None
        known = parcel.known("contact", person.id)
        if known and await portal.find("crm.contact.get", known):
            return known
        found = await _duplicates(portal, parcel, "CONTACT")
        if found:
            contact = str(found[0])
        elif self.entity == "lead" or not (person.phones or person.emails):
            return None
        else:
            card = fields.person(parcel) | {
                "ASSIGNED_BY_ID": self.assigned_by_id,
                "SOURCE_ID": self._source_id(parcel),
                "ORIGINATOR_ID": fields.ORIGINATOR,
                "ORIGIN_ID": str(person.id),
            }
            contact = str(await portal.call("crm.contact.add", fields=card))
        portal.wire.remember("contact", person.id, contact)
        return contact

    async def _add(self, portal: Portal, parcel: Parcel, contact: str | None) -> str:
        made: dict[str, Any] = {
            "TITLE": fields.title(parcel, self.language),
            "SOURCE_ID": self._source_id(parcel),
            "ASSIGNED_BY_ID": self.assigned_by_id,
            "ORIGINATOR_ID": fields.ORIGINATOR,
            "ORIGIN_ID": str(parcel.lead_id),
            **fields.source(parcel, self.min_certainty, self.language),
        }
        if self.entity == "deal":
            made["CATEGORY_ID"] = self.category_id
        else:
            made |= fields.person(parcel)
        if contact is not None:
            made["CONTACT_ID"] = contact
        result = await portal.call(
            f"crm.{self.entity}.add", fields=made, params={"REGISTER_SONET_EVENT": "Y"}
        )
        return str(result)

    async def _enrich(
        self, portal: Portal, parcel: Parcel, found: dict[str, Any]
    ) -> None:
        """Give an existing object its source, if nobody has given it one."""
        told = fields.source(parcel, self.min_certainty, self.language)
        trace = told.pop("TRACE", None)
        told.pop("COMMENTS", None)  # would replace what a manager wrote
        if found.get("UTM_SOURCE") or "UTM_SOURCE" not in told:
            return
        id_ = str(found["ID"])
        await portal.call(f"crm.{self.entity}.update", id=id_, fields=told)
        if trace is not None:
            entity = {"TYPE": self.entity.upper(), "ID": id_}
            try:
                await portal.call(
                    "crm.tracking.trace.add", TRACE=trace, ENTITIES=[entity]
                )
            except Refused:
                return  # an ornament: portals without Sales Intelligence refuse it

    def _source_id(self, parcel: Parcel) -> str:
        return self.source_id or SOURCES.get(parcel.channel, "WEB")

    # What is told on it ---------------------------------------------------------------

    async def _activity(self, portal: Portal, parcel: Parcel, owner: str) -> None:
        """A call's card, made when the call is over; a recording may come later."""
        assert parcel.contact_id is not None
        known = parcel.known("activity", parcel.contact_id)
        if known is None and parcel.attempt > 1:
            known = await self._made_before(portal, parcel, owner)
        made = fields.activity(parcel, self.language)
        if known is None:
            made |= {
                "OWNER_TYPE_ID": OWNER_TYPES[self.entity],
                "OWNER_ID": owner,
                "RESPONSIBLE_ID": self.assigned_by_id,
            }
            made["COMMUNICATIONS"][0] |= {
                "ENTITY_ID": owner,
                "ENTITY_TYPE_ID": OWNER_TYPES[self.entity],
            }
            known = str(await portal.call("crm.activity.add", fields=made))
        elif parcel.call is not None and parcel.call.recording:
            description = {"DESCRIPTION": made["DESCRIPTION"]}
            await portal.call("crm.activity.update", id=known, fields=description)
        portal.wire.remember("activity", parcel.contact_id, known)

    async def _made_before(
        self, portal: Portal, parcel: Parcel, owner: str
    ) -> str | None:
        """The activity that an attempt without an answer may have made."""
        rows = await portal.rows(
            "crm.activity.list",
            filter={
                "OWNER_TYPE_ID": OWNER_TYPES[self.entity],
                "OWNER_ID": owner,
                "ORIGIN_ID": str(parcel.contact_id),
            },
            select=["ID"],
        )
        return next((str(row["ID"]) for row in rows if row.get("ID")), None)

    async def _comment(self, portal: Portal, parcel: Parcel, owner: str) -> None:
        """A letter, a form, a message, or a call whose caller is withheld."""
        assert parcel.contact_id is not None
        if parcel.known("comment", parcel.contact_id):
            return
        made_before = parcel.attempt > 1 and await self._commented(
            portal, parcel, owner
        )
        if not made_before:
            comment = {
                "ENTITY_ID": owner,
                "ENTITY_TYPE": self.entity,
                "COMMENT": fields.comment(parcel, self.language),
            }
            await portal.call("crm.timeline.comment.add", fields=comment)
        portal.wire.remember("comment", parcel.contact_id, owner)

    async def _commented(self, portal: Portal, parcel: Parcel, owner: str) -> bool:
        rows = await portal.rows(
            "crm.timeline.comment.list",
            filter={"ENTITY_ID": owner, "ENTITY_TYPE": self.entity},
            select=["ID", "COMMENT"],
            order={"ID": "DESC"},
        )
        mark = fields.mark(parcel)
        return any(
            mark in str(row.get("COMMENT", "")) for row in rows[:REMEMBERED_COMMENTS]
        )


async def _duplicates(portal: Portal, parcel: Parcel, type_: str) -> list[int]:
    """The portal's objects of that type with one of the person's phones or emails."""
    found: list[int] = []
    for kind, values in fields.communications(parcel).items():
        result = await portal.call(
            "crm.duplicate.findbycomm", type=kind, values=values, entity_type=type_
        )
        if isinstance(result, dict):  # nothing found is an empty list
            found += [int(id_) for id_ in result.get(type_) or []]
    return list(dict.fromkeys(found))
