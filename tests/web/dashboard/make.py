"""Builders of what the dashboard shows; a test states only what matters to it."""

import random
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from tracker import calls, ids, source_rows, sources, users
from tracker import db as database
from tracker.seal import Seal
from tracker.sources import Source

EMAIL = "anna@acme.example"
PASSWORD = "correct horse"
AD = sources.labelled(source="yandex", medium="cpc", campaign="windows_moscow")
SEARCH = sources.labelled(source="google", medium="organic")
BILLBOARD = sources.labelled(source="billboard", medium="offline", campaign="ring-road")
DIRECT = sources.DIRECT


@dataclass
class World:
    """A site with one user, one pool and two connections."""

    db: database.Pool
    seal: Seal
    site_id: int = 0
    key: str = "acme"
    user: users.User | None = None
    connection_ids: dict[str, int] = field(default_factory=dict)
    pool_id: int = 0


async def site(
    db: database.Pool,
    seal: Seal,
    *,
    key: str = "acme",
    name: str = "ACME",
    demo: bool = False,
) -> World:
    """A site with nothing but its set-up."""
    world = World(db=db, seal=seal, key=key)
    world.site_id = await db.fetchval(
        "INSERT INTO sites (key, name, domains, demo) VALUES ($1, $2, '{acme.example}', $3) RETURNING id",
        key, name, demo,
    )  # fmt: skip
    world.pool_id = await db.fetchval(
        "INSERT INTO pools (site_id, name, replaces, forward_to) "
        "VALUES ($1, 'main', '{+74950000000}', '+74950000000') RETURNING id",
        world.site_id,
    )
    for n in range(6):
        await db.execute(
            "INSERT INTO numbers (site_id, number, kind, pool_id, position) VALUES ($1, $2, 'dynamic', $3, $4)",
            world.site_id, f"+7495100000{n}", world.pool_id, n,
        )  # fmt: skip
    await source_rows.keep(db, world.site_id, [AD, SEARCH, BILLBOARD, DIRECT])
    await db.execute(
        "INSERT INTO numbers (site_id, number, kind, source_id, replaces, forward_to) "
        "VALUES ($1, '+74951000100', 'static', $2, '{+74950000000}', '+74950000000')",
        world.site_id,
        source_rows.source_id(BILLBOARD),
    )
    for role, kind, called in (
        ("telephony", "mango", "pbx"),
        ("destination", "webhook", "crm"),
    ):
        world.connection_ids[called] = await db.fetchval(
            "INSERT INTO connections (site_id, role, name, kind, key, settings) "
            "VALUES ($1, $2, $3, $4, $5, $6) RETURNING id",
            world.site_id, role, called, kind, f"{key}-{called}", seal.close({}),
        )  # fmt: skip
    return world


async def user(world: World, email: str = EMAIL) -> users.User:
    """Somebody who can sign in with PASSWORD."""
    world.user = await users.add(
        world.db, email, name="Anna", password=PASSWORD, at=datetime.now(UTC)
    )
    return world.user


async def person(world: World, *, at: datetime, **keys: str) -> UUID:
    """A person with a phone, an email or a visitor."""
    id_ = uuid4()
    await world.db.execute(
        "INSERT INTO persons (site_id, id, created_at) VALUES ($1, $2, $3)",
        world.site_id,
        id_,
        at,
    )
    for kind, value in keys.items():
        await world.db.execute(
            "INSERT INTO person_keys VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
            world.site_id, kind, value, id_,
        )  # fmt: skip
    return id_


async def visit(
    world: World,
    *,
    at: datetime,
    visitor: UUID | None = None,
    source: Source = AD,
    number: str | None = None,
    seen: bool = True,
    pages: tuple[str, ...] = ("/", "/windows", "/prices"),
    device: str = "mobile",
    stay: timedelta = timedelta(minutes=6),
) -> UUID:
    """A session with its pages, and a lease when a number was lent."""
    id_, visitor = ids.mint(world.site_id, at), visitor or uuid4()
    source_id = source_rows.source_id(source)
    await world.db.execute(
        "INSERT INTO sessions (site_id, id, visitor_id, started_at, last_seen_at, source_id, raw_source_id, "
        "rule, device, landing_url) VALUES ($1, $2, $3, $4, $5, $6, $6, 'utm', $7, $8)",
        world.site_id, id_, visitor, at, at + stay, source_id, device, f"https://acme.example{pages[0]}",
    )  # fmt: skip
    for n, page in enumerate(pages[1:], 1):  # the first is kept with the session
        await world.db.execute(
            "INSERT INTO pages VALUES ($1, $2, $3, $4)",
            world.site_id, id_, at + timedelta(seconds=70 * n), f"https://acme.example{page}",
        )  # fmt: skip
    if number:
        await world.db.execute(
            "INSERT INTO leases (site_id, number, since, session_id, visitor_id, pool_id, source_id, device, "
            "last_sign_at, seen_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            world.site_id, number, at, id_, visitor, world.pool_id, source_id, device, at + stay,
            at + timedelta(seconds=20) if seen else None,
        )  # fmt: skip
        await world.db.execute(
            "INSERT INTO events VALUES ($1, $2, $3, 'reveal', $4)",
            world.site_id, id_, at + timedelta(seconds=20), number,
        )  # fmt: skip
    return id_


async def contact(
    world: World,
    *,
    at: datetime,
    kind: str = "call",
    channel: str | None = None,
    source: Source | None = AD,
    caller: str | None = "+79161234567",
    email: str | None = None,
    name: str = "",
    text: str = "",
    subject: str = "",
    number: str | None = "+74951000001",
    certainty: float = 0.9,
    talk: int | None = 61,
    outcome: str | None = "answered",
    excluded: str | None = None,
    person_id: UUID | None = None,
    candidates: list[tuple[UUID | None, Source, float, dict[str, Any]]] | None = None,
    updated_at: datetime | None = None,
    rule: str = "pool-posterior/3",
    recording: str = "",
) -> UUID:
    """A contact with its lead, and the call's or the letter's row."""
    id_ = uuid4()
    phones = [caller] if caller and kind != "email" else []
    emails = [email] if email else []
    keys = {"phone": phones[0]} if phones else {"email": emails[0]} if emails else {}
    person_id = person_id or await person(world, at=at, **keys)
    lead_id = None if excluded else uuid4()
    if lead_id:
        await world.db.execute(
            "INSERT INTO leads (site_id, id, person_id, opened_at, last_contact_at, first_contact_id) "
            "VALUES ($1, $2, $3, $4, $4, $5)",
            world.site_id, lead_id, person_id, at, id_,
        )  # fmt: skip
    await world.db.execute(
        "INSERT INTO contacts (site_id, id, channel, kind, at, person_id, lead_id, caller, number, email, name, text, "
        "rule, certainty, source_id, excluded, search, updated_at) "
        "VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$18)",
        world.site_id, id_, channel or {"call": "phone", "message": "telegram"}.get(kind, kind), kind, at, person_id,
        lead_id, phones[0] if phones else None, number if kind == "call" else None, email, name, text, rule,
        certainty if source else 0.0, source_rows.source_id(source) if source else None, excluded,
        " ".join([*phones, *emails]).lower(), updated_at or at,
    )  # fmt: skip
    if source:
        await source_rows.keep(world.db, world.site_id, [source])
    for n, (session, from_, weight, why) in enumerate(candidates or []):
        await world.db.execute(
            "INSERT INTO attributions VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            world.site_id, id_, rule, n, session, source_rows.source_id(from_), weight, why,
        )  # fmt: skip
    if kind == "call":
        await call(world, id_, at=at, talk=talk, outcome=outcome, recording=recording)
    if kind == "email":
        await world.db.execute(
            "INSERT INTO letters (site_id, contact_id, inbox_id, from_address, from_name, subject, size) "
            "VALUES ($1, $2, $3, $4, $5, $6, 4096)",
            world.site_id, id_, uuid4(), email or "", name, subject,
        )  # fmt: skip
    return id_


async def call(
    world: World,
    id_: UUID,
    *,
    at: datetime,
    talk: int | None,
    outcome: str | None,
    recording: str = "",
) -> None:
    """The stages of a call as its provider tells them; without an outcome it still goes on."""
    stages: list[tuple[str, int, dict[str, Any]]] = [("ringing", 0, {})]
    if outcome in ("answered", None):
        stages.append(("answered", 9, {"manager": "Olga"}))
    if outcome:
        stages.append(("ended", 9 + (talk or 20), {"outcome": outcome}))
    if recording:
        told = calls.Recording(id="1", url=recording, seconds=talk)
        stages.append(("recording", 30, {"recording": told}))
    async with world.db.acquire() as db, db.transaction():
        for type_, seconds, more in stages:
            event = calls.CallEvent(
                type=type_,
                call_key=str(id_),
                at=at + timedelta(seconds=seconds),
                **more,
            )
            await calls.merge(
                db, site_id=world.site_id, connection_id=world.connection_ids["pbx"], contact_id=id_, event=event
            )  # fmt: skip


async def delivery(
    world: World,
    contact_id: UUID,
    *,
    at: datetime,
    state: str = "delivered",
    error: str | None = None,
    attempts: int = 1,
) -> UUID:
    """A delivery to the webhook with its attempts."""
    id_ = uuid4()
    await world.db.execute(
        "INSERT INTO deliveries (site_id, id, destination_id, event, contact_id, lead_id, key, at, state, attempts, "
        "due_at, last_error, done_at) SELECT $1, $2, $3, 'contact.created', $4, lead_id, $5, $6, $7, $8, $6, $9, $10 "
        "FROM contacts WHERE site_id = $1 AND id = $4",
        world.site_id, id_, world.connection_ids["crm"], contact_id, str(id_), at, state, attempts, error,
        None if state == "owed" else at,
    )  # fmt: skip
    for n in range(1, attempts + 1):
        failed = error if n < attempts or state != "delivered" else None
        await world.db.execute(
            "INSERT INTO attempts VALUES ($1, $2, $3, $4, 0.21, $5, $6, $7, $8)",
            world.site_id, id_, n, at + timedelta(minutes=n), 'POST https://crm.acme.example/hook\n{"type": "contact.created"}',
            500 if failed else 200, "oops" if failed else '{"ok": true}', failed,
        )  # fmt: skip
    return id_


async def daily(
    world: World, day: date, source: Source, **figures: float | Decimal | int
) -> None:
    """A row of the reports' own table."""
    await source_rows.keep(world.db, world.site_id, [source])
    names = list(figures)
    columns = "".join(f", {name}" for name in names)
    places = "".join(f", ${n}" for n in range(4, 4 + len(names)))
    await world.db.execute(
        f"INSERT INTO daily (site_id, day, source_id{columns}) VALUES ($1, $2, $3{places})",
        world.site_id, day, source_rows.source_id(source), *figures.values(),
    )  # fmt: skip


CAMPAIGNS = [
    sources.labelled(source="yandex", medium="cpc", campaign="windows_moscow"),
    sources.labelled(source="yandex", medium="cpc", campaign="balcony_moscow"),
    sources.labelled(source="google", medium="cpc", campaign="brand"),
    sources.labelled(source="vk", medium="cpc", campaign="autumn_sale"),
    sources.labelled(source="google", medium="organic"),
    sources.labelled(source="yandex", medium="organic"),
    sources.labelled(source="yandex_maps", medium="maps"),
    sources.labelled(source="newsletter", medium="email", campaign="october"),
    sources.labelled(source="chatgpt", medium="ai"),
    BILLBOARD,
    DIRECT,
]
PEOPLE = ("Иван Петров", "Ольга Смирнова", "", "", "Сергей", "", "Maria Lopez", "")


async def busy(world: World, *, at: datetime, contacts: int = 60) -> UUID:
    """A site with some weeks of believable history; returns the most telling contact."""
    chance = random.Random(7)
    await source_rows.keep(world.db, world.site_id, CAMPAIGNS)
    for n in range(contacts):
        moment = at - timedelta(minutes=chance.randint(1, 12) + 70 * n)
        kind = chance.choices(("call", "email", "form", "message"), (6, 2, 2, 1))[0]
        source = chance.choices(CAMPAIGNS, (6, 4, 3, 2, 4, 4, 2, 1, 1, 1, 2))[0]
        outcome = chance.choices(("answered", "missed", "busy"), (8, 2, 1))[0]
        sure = 1.0 if kind != "call" else chance.choice((0.97, 0.91, 0.84, 0.66, 0.42))
        id_ = await contact(
            world, at=moment, kind=kind, source=source if chance.random() > 0.07 else None,
            caller=f"+7916{chance.randint(1000000, 9999999)}" if kind in ("call", "form") else None,
            email=f"client{n}@mail.example" if kind in ("email", "form") else None,
            name=chance.choice(PEOPLE) or ("Анна" if kind == "message" else ""), certainty=sure,
            subject="Остекление балкона, 3 метра" if kind == "email" else "",
            text="Здравствуйте! Сколько будет стоить окно 1,4 × 1,6?" if kind in ("form", "message") else "",
            talk=chance.randint(20, 400), outcome=outcome if n else None,
            excluded="spam" if n % 23 == 9 else None, rule="alias/1" if kind == "email" else "pool-posterior/3",
        )  # fmt: skip
        state = chance.choices(("delivered", "owed", "dead"), (12, 1, 1))[0]
        error = {"dead": "HTTP 400: field TITLE is unknown", "owed": "HTTP 503"}.get(
            state
        )
        if n % 23 != 9:
            await delivery(world, id_, at=moment, state=state, error=error)
    await _days(world, chance, at.date())
    return await _story(world, at)


async def _days(world: World, chance: random.Random, today: date) -> None:
    for n in range(62):
        for place, source in enumerate(CAMPAIGNS):
            if chance.random() < 0.25:
                continue
            visits = chance.randint(8, 60) * (3 if place < 6 else 1)
            calls, paid = visits * chance.uniform(0.01, 0.05), place < 4
            won = 1.0 if chance.random() < 0.12 else 0.0
            await daily(
                world, today - timedelta(days=n), source, visits=visits, calls=round(calls, 1),
                missed=round(calls * 0.15, 1), emails=float(chance.random() < 0.3), forms=float(chance.random() < 0.4),
                messages=float(chance.random() < 0.1), leads=round(calls * 0.8, 1), deals=won,
                revenue=Decimal(chance.randint(30, 180) * 1000) if won else Decimal(0),
                cost=Decimal(visits * chance.randint(18, 45)) if paid else Decimal(0),
            )  # fmt: skip


async def _story(world: World, at: datetime) -> UUID:
    """A person who came twice, wrote, called and bought; contested by other visitors."""
    visitor, phone, number = uuid4(), "+79161234567", "+74951000001"
    who = await person(
        world, at=at, phone=phone, email="ivan@client.example", visitor=str(visitor)
    )
    await visit(
        world, at=at - timedelta(days=6, hours=2), visitor=visitor, source=CAMPAIGNS[0]
    )
    await contact(
        world, at=at - timedelta(days=6, hours=1), kind="email", person_id=who, email="ivan@client.example",
        name="Иван", subject="Вопрос о сроках", text="Когда сможете приехать на замер?", certainty=1.0, rule="alias/1",
    )  # fmt: skip
    call = at - timedelta(minutes=4)
    own = await visit(
        world,
        at=call - timedelta(minutes=9),
        visitor=visitor,
        source=CAMPAIGNS[0],
        number=number,
    )
    two = await visit(world, at=call - timedelta(minutes=70), source=CAMPAIGNS[4], number=number, device="desktop", stay=timedelta(minutes=20))  # fmt: skip
    three = await visit(world, at=call - timedelta(minutes=150), source=CAMPAIGNS[3], number=number, stay=timedelta(minutes=12))  # fmt: skip
    await visit(
        world,
        at=call - timedelta(minutes=115),
        source=CAMPAIGNS[6],
        number=number,
        seen=False,
    )
    await world.db.execute(
        "UPDATE leases SET clicked_at = $2 WHERE session_id = $1",
        own,
        call - timedelta(seconds=30),
    )
    await world.db.execute("INSERT INTO events VALUES ($1, $2, $3, 'tel_click', $4)", world.site_id, own, call - timedelta(seconds=30), number)  # fmt: skip
    why = {
        "rate": 0.0349,
        "state": "click_quiet",
        "seconds": 30.0,
        "opening_seconds": 30.0,
        "base": 0.0312,
        "source": 1.12,
        "engagement": 1.0,
        "opening": 1.0,
        "not_credited": 1.0,
        "no_other_phone": 1.0,
        "redial": 0.0,
        "shared": False,
    }
    id_ = await contact(
        world, at=call, person_id=who, caller=phone, name="Иван Петров", number=number, certainty=0.912, talk=184,
        recording="https://pbx.example/rec/1.mp3",
        candidates=[
            (own, CAMPAIGNS[0], 0.912, why),
            (two, CAMPAIGNS[4], 0.051, {**why, "state": "seen_gone_desktop", "seconds": 4180.0, "base": 0.0000021}),
            (three, CAMPAIGNS[3], 0.018, {**why, "state": "seen_gone/mobile", "seconds": 8900.0, "base": 0.0000009}),
        ],
    )  # fmt: skip
    await delivery(
        world, id_, at=call, state="dead", error="HTTP 500: oops", attempts=3
    )
    await delivery(world, id_, at=call, attempts=2, error="HTTP 502: bad gateway")
    await world.db.execute(
        "INSERT INTO deals (site_id, id, crm, crm_id, person_id, title, stage, state, amount, currency, manager, "
        "opened_at, updated_at) VALUES ($1, $2, 'crm', '17', $3, 'Окна, 3 шт.', 'Замер', 'open', 84500, 'RUB', 'Ольга', $4, $4)",
        world.site_id, uuid4(), who, call + timedelta(minutes=2),
    )  # fmt: skip
    return id_


async def trouble(world: World, *, at: datetime) -> None:
    """One of everything the health page warns of."""
    for n in range(3):
        id_ = ids.mint(world.site_id, at - timedelta(hours=n))
        await world.db.execute(
            "INSERT INTO inbox VALUES ($1, $2, 'telephony', 'mango', $3, $4, '{}', '')",
            world.site_id, id_, world.connection_ids["pbx"], at - timedelta(hours=n),
        )  # fmt: skip
        await world.db.execute(
            "INSERT INTO unread (site_id, inbox_id, due_at, attempts, reason) VALUES ($1, $2, $3, 4, $4)",
            world.site_id, id_, at + timedelta(hours=1), "entry_id: expected text, got a number",
        )  # fmt: skip
    box = await world.db.fetchval(
        "INSERT INTO mailboxes (site_id, replaces, forward_to, next_hop) VALUES ($1, '{info@acme.example}', "
        "'info@acme.example', $2) RETURNING id",
        world.site_id, world.seal.close("smtp://mx.acme.example:25"),
    )  # fmt: skip
    await world.db.execute(
        "INSERT INTO forwards (site_id, id, inbox_id, digest, recipient, mailbox_id, mail_from, return_token, state, "
        "attempts, created_at, due_at, last_code, last_error) VALUES ($1, $2, $2, '\\x00', 'info-abc@track.acme.example', "
        "$3, 'ivan@client.example', $4, 'owed', 6, $5, $5, 451, '4.7.1 try again later')",
        world.site_id, uuid4(), box, str(uuid4()), at - timedelta(hours=5),
    )  # fmt: skip
    await world.db.execute(
        "INSERT INTO refusals (hour, door, kind, reason, site_id, connection_id, count, last_at) "
        "VALUES (date_trunc('hour', $1::timestamptz), 'telephony', 'mango', 'bad signature', $2, $3, 12, $1)",
        at, world.site_id, world.connection_ids["pbx"],
    )  # fmt: skip
    await world.db.execute(
        "INSERT INTO connection_states (site_id, connection_id, last_event_at, fault, fault_at) VALUES "
        "($1, $2, $4, NULL, NULL), ($1, $3, $4, 'HTTP 401: the token was revoked', $4)",
        world.site_id, world.connection_ids["pbx"], world.connection_ids["crm"], at - timedelta(minutes=3),
    )  # fmt: skip
