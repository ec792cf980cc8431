"""Beeline Cloud PBX: Xsi events, hostile XML, legs of a group, whose number was dialled."""

from dataclasses import replace
from datetime import timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import NOON
from tests.web.telephony import make
from tracker import calls
from tracker.errors import BadSignature, Unreadable
from web.telephony import Hook, Route, xml_tree
from web.telephony.beeline import Beeline

PBX = Beeline(token="open sesame", number="+74950000001")
BARE = Beeline()
T = int(NOON.timestamp() * 1000)

SAVED = """<?xml version="1.0" encoding="UTF-8"?>
<xsi:Event xmlns:xsi="http://schema.broadsoft.com/xsi" xmlns:xsi1="http://www.w3.org/2001/XMLSchema-instance" xsi1:type="xsi:SubscriptionEvent">
 <xsi:eventID>e1</xsi:eventID><xsi:sequenceNumber>7</xsi:sequenceNumber><xsi:subscriptionId>sub1</xsi:subscriptionId>
 <xsi:targetId>9031112233@mpbx.sip.beeline.ru</xsi:targetId>
 <xsi:eventData xsi1:type="xsi:CallReceivedEvent"><xsi:call>
  <xsi:callId>callhalf-1:0</xsi:callId><xsi:extTrackingId>345:1</xsi:extTrackingId><xsi:personality>Terminator</xsi:personality><xsi:state>Alerting</xsi:state>
  <xsi:remoteParty><xsi:address countryCode="7">tel:+79161234567</xsi:address><xsi:callType>Network</xsi:callType></xsi:remoteParty>
  <xsi:endpoint><xsi:addressOfRecord>sip:9031112233@x</xsi:addressOfRecord></xsi:endpoint>
  <xsi:startTime>1767261600123</xsi:startTime></xsi:call></xsi:eventData>
</xsi:Event>"""


def xml(
    kind: str,
    *,
    user: str = "9031112233",
    leg: str = "callhalf-1:0",
    call: str = "345:1",
    personality: str = "Terminator",
    address: str = "tel:+79161234567",
    call_type: str = "Network",
    start: float = 0,
    more: str = "",
    **moments: float,
) -> str:
    times = "".join(f"<xsi:{name}>{T + int(after * 1000)}</xsi:{name}>" for name, after in moments.items())  # fmt: skip
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<xsi:Event xmlns:xsi="http://schema.broadsoft.com/xsi" xmlns:xsi1="http://www.w3.org/2001/XMLSchema-instance" xsi1:type="xsi:SubscriptionEvent">
<xsi:sequenceNumber>7</xsi:sequenceNumber><xsi:targetId>{user}@mpbx.sip.beeline.ru</xsi:targetId>
<xsi:eventData xsi1:type="xsi:{kind}"><xsi:call><xsi:callId>{leg}</xsi:callId><xsi:extTrackingId>{call}</xsi:extTrackingId>
<xsi:personality>{personality}</xsi:personality>
<xsi:remoteParty><xsi:address>{address}</xsi:address><xsi:callType>{call_type}</xsi:callType></xsi:remoteParty>
<xsi:startTime>{T + int(start * 1000)}</xsi:startTime>{times}{more}</xsi:call></xsi:eventData></xsi:Event>"""


def sent(body: str | bytes, after: float = 0) -> Hook:
    return make.hook(
        body=body.encode() if isinstance(body, str) else body,
        headers={"content-type": "application/xml"},
        at=NOON + timedelta(seconds=after),
    )


def one(body: str | bytes, pbx: Beeline = PBX) -> calls.CallEvent:
    (event,) = pbx.events(make.again(sent(body)))
    return event


# Who is it? ---------------------------------------------------------------------------


def test_the_token_in_the_address_is_believed_and_no_other() -> None:
    PBX.verify(make.hook(body=SAVED.encode(), query="token=open%20sesame"))
    BARE.verify(sent(SAVED))
    for query in ("", "token=", "token=open", "token=open%20sesamf"):
        with pytest.raises(BadSignature):
            PBX.verify(make.hook(body=SAVED.encode(), query=query))


def test_the_answer_is_empty() -> None:
    assert PBX.answer(sent(SAVED), Route(forward_to=None)).body == b""
    assert not PBX.asks_route(sent(SAVED))


# What does it tell? -------------------------------------------------------------------


@pytest.mark.parametrize(
    "document",
    [
        SAVED,
        SAVED.replace("xsi1:type", "xsi:type").replace("xmlns:xsi1", "xmlns:xsi2"),
        SAVED.replace("xsi:", "").replace("xmlns:xsi=", "xmlns="),
        SAVED.replace("<xsi:call>", "").replace("</xsi:call>", ""),
        "\r\n  " + SAVED,
    ],
)
def test_the_saved_event_is_read_whatever_its_prefixes(document: str) -> None:
    event = one(document)
    assert (event.type, event.call_key, event.leg_key, event.seq) == ("ringing", "345:1", "callhalf-1:0", 7)  # fmt: skip
    assert (event.caller, event.tracked) == ("+79161234567", "+74950000001")
    assert (event.direction, event.hidden) == ("inbound", False)
    assert event.started_at is not None
    assert event.started_at.isoformat() == "2026-01-01T10:00:00.123000+00:00"


def test_each_charset_of_xml_is_read() -> None:
    named = SAVED.replace("</xsi:remoteParty>", "<xsi:name>Иван</xsi:name></xsi:remoteParty>")  # fmt: skip
    for charset in ("utf-8", "utf-16", "windows-1251"):
        body = named.replace("UTF-8", charset.upper()).encode(charset)
        assert one(body).caller == "+79161234567"


GROUP = [
    sent(xml("CallReceivedEvent")),
    sent(xml("CallReceivedEvent", user="9034445566", leg="callhalf-2:0", start=1)),
    sent(xml("CallAnsweredEvent", answerTime=11), 11),
    sent(xml("CallReleasedEvent", user="9034445566", leg="callhalf-2:0", start=1, releaseTime=11), 11),
    sent(xml("CallHeldEvent", answerTime=11, heldTime=20), 20),
    sent(xml("CallReleasedEvent", answerTime=11, releaseTime=99), 99),
]  # fmt: skip


def test_a_group_s_answered_call_in_any_order_is_the_same_call() -> None:
    expected = make.call(PBX, GROUP)
    assert (expected.caller, expected.tracked) == ("+79161234567", "+74950000001")
    assert (expected.ring_seconds, expected.talk_seconds) == (11, 88)
    assert (expected.outcome, expected.manager) == ("answered", "9031112233")
    assert (expected.direction, expected.notes) == ("inbound", ())

    for order in permutations(GROUP):
        assert make.call(PBX, [*order, order[0], order[3]]) == expected


def test_a_missed_call_is_released_without_an_answer() -> None:
    flow = [GROUP[0], GROUP[1]]
    flow += [sent(xml("CallReleasedEvent", leg=leg, releaseTime=at), at) for leg, at in (("callhalf-1:0", 20), ("callhalf-2:0", 30))]  # fmt: skip
    for order in permutations(flow):
        call = make.call(PBX, [*order, order[1]])
        assert (call.missed, call.outcome) == (True, "missed")
        assert (call.ring_seconds, call.talk_seconds, call.manager) == (30, 0, None)


@pytest.mark.parametrize(
    ("cause", "outcome"),
    [
        ("Busy", "busy"), ("Forbidden", "rejected"), ("Temporarily Unavailable", "missed"),
        ("Routing Failure", "failed"), ("User Not Found", "failed"), ("", "missed"),
    ],
)  # fmt: skip
def test_the_cause_names_the_outcome_of_a_missed_call(cause: str, outcome: str) -> None:
    more = f"<xsi:releaseCause><xsi:internalReleaseCause>{cause}</xsi:internalReleaseCause></xsi:releaseCause>"
    call = make.call(PBX, [sent(xml("CallReleasedEvent", releaseTime=9, more=more))])
    assert call.outcome == outcome


def test_the_release_alone_tells_the_whole_call() -> None:
    alone = make.call(PBX, [GROUP[5]])
    assert (alone.outcome, alone.talk_seconds, alone.manager) == ("answered", 88, "9031112233")  # fmt: skip
    assert (alone.caller, alone.tracked) == ("+79161234567", "+74950000001")


def test_a_transfer_leaves_the_customer_and_tells_who_spoke_last() -> None:
    flow = [
        sent(xml("CallReceivedEvent")),
        sent(xml("CallAnsweredEvent", answerTime=11), 11),
        sent(xml("CallTransferredEvent", address="tel:+79034445566"), 40),
        sent(xml("CallAnsweredEvent", user="9034445566", leg="callhalf-9:0", start=38, answerTime=39), 39),
        sent(xml("CallReleasedEvent", answerTime=11, releaseTime=40), 40),
        sent(xml("CallReleasedEvent", user="9034445566", leg="callhalf-9:0", start=38, answerTime=39, releaseTime=99), 99),
    ]  # fmt: skip
    for order in permutations(flow):
        call = make.call(PBX, order)
        assert (call.caller, call.manager) == ("+79161234567", "9034445566")
        assert (call.talk_seconds, call.notes) == (88, ("answered by 9031112233",))


def test_the_release_of_a_long_call_does_not_look_like_a_wrong_clock() -> None:
    long = sent(xml("CallReleasedEvent", answerTime=11, releaseTime=3600), 3600)
    for event in PBX.events(long):
        assert calls.corrected(event, long.received_at)[1] == timedelta(0)


def test_colleagues_legs_are_dropped() -> None:
    for call_type in ("Group", "Enterprise"):
        assert PBX.events(sent(xml("CallReceivedEvent", call_type=call_type))) == []


@pytest.mark.parametrize("personality", ["Originator", "Click-to-Dial"])
def test_outgoing_calls_are_not_customers_calls(personality: str) -> None:
    out = dict(personality=personality, address="tel:+79161234567")
    flow = [
        sent(xml("CallOriginatedEvent", **out)),  # type: ignore[arg-type]
        sent(xml("CallAnsweredEvent", answerTime=5, **out), 5),  # type: ignore[arg-type]
        sent(xml("CallReleasedEvent", answerTime=5, releaseTime=9, **out), 9),  # type: ignore[arg-type]
    ]
    for order in permutations(flow):
        call = make.call(PBX, order)
        assert (call.direction, call.caller, call.tracked) == ("outbound", None, None)


@pytest.mark.parametrize("address", ["", "sip:anonymous@anonymous.invalid", "Restricted"])  # fmt: skip
def test_a_hidden_caller_is_hidden(address: str) -> None:
    event = one(xml("CallReceivedEvent", address=address))
    assert (event.caller, event.hidden, event.tracked) == (None, True, "+74950000001")


def test_a_sip_name_is_neither_a_number_nor_hidden() -> None:
    event = one(xml("CallReceivedEvent", address="sip:ivan@client.example"))
    assert (event.caller, event.hidden) == (None, False)


# Which number was dialled? ------------------------------------------------------------


def dialled(pbx: Beeline, more: str = "") -> list[str | None]:
    events = pbx.events(sent(xml("CallReceivedEvent", more=more)))
    return [event.tracked for event in events]


def test_the_event_s_own_word_comes_first_then_the_setting_then_the_employee() -> None:
    assert dialled(PBX) == ["+74950000001"]
    assert dialled(BARE) == ["+79031112233"]
    for pbx in (PBX, BARE):
        assert dialled(pbx, "<xsi:source>tel:74951000002</xsi:source>") == ["+74951000002"]  # fmt: skip
        acd = "<xsi:acdCallInfo><xsi:acdNumber>tel:+74951000003</xsi:acdNumber></xsi:acdCallInfo>"
        assert dialled(pbx, acd) == ["+74951000003"]


def test_every_redirection_may_name_the_dialled_number() -> None:
    party = "<xsi:redirection><xsi:party><xsi:address>tel:{}</xsi:address></xsi:party><xsi:reason>hunt-group</xsi:reason></xsi:redirection>"
    told = "".join(party.format(number) for number in ("88001234567", "101", "+74951000003", "88001234567"))  # fmt: skip
    more = f"<xsi:redirections>{told}</xsi:redirections>"
    assert dialled(PBX, more) == ["+78001234567", "+74951000003"]


def test_the_site_s_own_number_wins_among_several() -> None:
    redirection = "<xsi:redirections><xsi:redirection><xsi:party><xsi:address>tel:+74959999999</xsi:address></xsi:party></xsi:redirection></xsi:redirections>"
    more = f"<xsi:source>tel:+74958888888</xsi:source>{redirection}"
    made = None
    for event in PBX.events(sent(xml("CallReceivedEvent", more=more))):
        made = calls.join(made, replace(event, ours=event.tracked == "+74959999999"))
    assert made is not None and made.tracked == "+74959999999"


# Hostile and broken XML ---------------------------------------------------------------

LAUGHS = """<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "ha">
<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]>
<Event><eventData type="CallReceivedEvent"><callId>&c;</callId></eventData></Event>"""
EXTERNAL = (
    """<!DOCTYPE Event [<!ENTITY x SYSTEM "file:///etc/passwd">]><Event>&x;</Event>"""
)
PARAMETER = """<!DOCTYPE Event [<!ENTITY % p SYSTEM "http://evil.example/x.dtd"> %p;]><Event/>"""


@pytest.mark.parametrize(
    "document",
    [
        LAUGHS, EXTERNAL, PARAMETER,
        "<!DOCTYPE Event><Event/>",
        '<!DOCTYPE Event SYSTEM "http://evil.example/x.dtd"><Event/>',
        "<!doctype html><html></html>",
    ],
)  # fmt: skip
def test_a_doctype_is_refused_before_anything_of_it_is_read(document: str) -> None:
    with pytest.raises(Unreadable, match="XML"):
        PBX.events(sent(document))


@pytest.mark.parametrize(
    "document",
    [
        b"", b" ", b"{}", b"<", b"<Event>", b"<Event></Other>", b"<Event/><Event/>",
        b"<Event>&undeclared;</Event>", b"<a:b:c/>" * 2, b"\x00", b"<Event>\xff</Event>",
        b'<?xml version="1.0" encoding="utf-7"?><Event/>',
        b'<?xml version="1.0" encoding="rot13"?><Event/>',
        b'<?xml version="1.0" encoding="no-such"?><Event/>',
        b"<Other/>",
        b"<Event>" + b"<x>" * 40 + b"</x>" * 40 + b"</Event>",
        b"<Event>" + b"<x/>" * 3000 + b"</Event>",
        xml("CallReceivedEvent", call="").replace("callhalf-1:0", "").encode(),
        xml("CallReceivedEvent", call="x" * 201).encode(),
        SAVED.replace("1767261600123", "yesterday").encode(),
        SAVED.replace("1767261600123", "1e30").encode(),
        SAVED.replace(">7<", ">seven<").encode(),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_unreadable(document: bytes) -> None:
    with pytest.raises(Unreadable):
        PBX.events(sent(document))


def test_each_prefix_of_an_event_is_unreadable() -> None:
    whole = SAVED.encode()
    for end in range(len(whole)):
        with pytest.raises(Unreadable):
            PBX.events(sent(whole[:end]))


def test_a_long_text_is_bounded_and_entities_of_xml_itself_are_read() -> None:
    more = f"<xsi:source>{'9' * 100_000}</xsi:source>"
    assert one(xml("CallReceivedEvent", more=more)).tracked == "+74950000001"
    assert one(xml("CallReceivedEvent", leg="a&amp;b&#x41;<![CDATA[<]]>")).leg_key == "a&bA<"  # fmt: skip


@pytest.mark.parametrize(
    "kind", ["HookStatusEvent", "SubscriptionTerminatedEvent", "CallSubscriptionEvent", "AgentStateEvent", ""],
)  # fmt: skip
def test_other_events_tell_nothing(kind: str) -> None:
    assert PBX.events(sent(xml(kind))) == []
    assert PBX.events(sent('<Event type="xsi:SubscriptionTerminatedEvent"/>')) == []


tags = st.sampled_from(["Event", "eventData", "call", "callId", "extTrackingId", "startTime", "remoteParty", "address", "x:y"])  # fmt: skip
texts = st.sampled_from(["", "345:1", "1767261600123", "tel:+79161234567", "Terminator", "&amp;", "Ж"]) | st.text(max_size=8)  # fmt: skip
trees = st.recursive(
    texts,
    lambda inner: st.tuples(tags, st.sampled_from(["", ' type="xsi:CallReceivedEvent"', ' type="CallReleasedEvent"', " a"]), st.lists(inner, max_size=4))
    .map(lambda one: f"<{one[0]}{one[1]}>{''.join(one[2])}</{one[0]}>"),
    max_leaves=20,
)  # fmt: skip


@given(trees)
def test_whatever_tree_comes_is_events_or_unreadable(tree: str) -> None:
    try:
        events = PBX.events(sent(tree.encode("utf-8", "replace")))
    except Unreadable:
        return
    for event in events:
        assert event.call_key and event.type in calls.TRUST


@given(st.binary(max_size=200))
def test_whatever_bytes_come_are_a_tree_or_unreadable(document: bytes) -> None:
    try:
        root = xml_tree.parse(document)
    except Unreadable:
        return
    assert root.name
