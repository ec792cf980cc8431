"""The story's calls, letters, forms, deals and costs as the records of the real doors. Pure.

What a PBX, the mail relay, the form's door, a CRM and an import would have made of them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from hashlib import sha256
from uuid import UUID

from numberpool import aliases
from tracker import contacts, costs, deals, ids, letters, sources
from tracker.calls import CallEvent
from tracker.demo_tape import Call, Cost, Deal, Form, Letter
from tracker.sites import Site

HEADERS = 1400  # bytes of a usual letter before its text


def call_events(call: Call, number: str) -> Iterator[CallEvent]:
    """What a PBX tells of the call: it rings, it is answered, it is over."""
    rings = CallEvent(
        type="ringing",
        call_key=call.key,
        at=call.at,
        direction="outbound" if call.outbound else "inbound",
        caller=call.caller,
        hidden=call.caller is None,
        tracked=number,
        ours=True,
    )
    yield rings
    if call.talks is None:
        yield replace(rings, type="ended", at=call.over, outcome="missed")
        return
    picked_up = call.at + call.rings
    yield replace(rings, type="answered", at=picked_up, manager=call.manager)
    yield replace(rings, type="ended", at=call.over, outcome="answered")


def letter(
    site: Site, one: Letter, address: str, session: UUID | None
) -> letters.Letter:
    """The letter as the relay reads it; raises ValueError when it is to no alias."""
    token = aliases.parse(address.partition("@")[0])
    if token is None:
        raise ValueError("not an alias")
    body = one.text.encode()
    return letters.Letter(
        site_id=site.id,
        inbox_id=ids.mint(site.id, one.at),
        digest=sha256(one.key.encode() + body).hexdigest(),
        alias=address,
        token=token,
        mailbox_id=site.mailboxes[0].id,
        session_id=session,
        source_id=None,
        from_address=one.email,
        from_name=one.name,
        reply_to="",
        phones=(one.phone,) if one.phone else (),
        subject=one.subject,
        text=one.text,
        message_id=f"<{one.key}@{one.email.partition('@')[2]}>",
        size=HEADERS + len(body),
        attachments=(),
        received_at=one.at,
    )


def form(one: Form, session: UUID | None) -> contacts.Form:
    """The form as the page sends it."""
    return contacts.Form(
        id=one.key,
        channel="form",
        at=one.at,
        session_id=session,
        name=one.name,
        phone=one.phone,
        email=one.email,
        text=one.text,
    )


def deal(one: Deal) -> deals.Deal:
    """The deal as the CRM tells it."""
    return deals.Deal(
        crm_id=one.key,
        state=one.state,
        title=one.title,
        stage=one.stage,
        amount=one.amount,
        manager=one.manager,
        opened_at=one.opened_at,
        closed_at=one.closed_at,
        updated_at=one.at,
        phones=(one.phone,) if one.phone else (),
        emails=(one.email,) if one.email else (),
    )


def day_costs(told: Iterable[Cost]) -> list[costs.Cost]:
    """The costs as an import has them."""
    return [
        costs.Cost(
            day=one.day,
            source=sources.labelled(
                source=one.source, medium=one.medium, campaign=one.campaign
            ),
            amount=one.amount,
            clicks=one.clicks,
            impressions=one.impressions,
        )
        for one in told
    ]
