"""What an owner sets up: the file in, the tables, the file out."""

import json
import tomllib
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from numberpool.targeting import Origin, Target
from tests.conftest import NOON
from tracker import (
    connections,
    provision,
    provision_file,
    provision_read,
    provision_text,
)
from tracker import db as database
from tracker.errors import BadFile, BadInput
from tracker.seal import Seal
from tracker.sites import Directory, Site

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
FILE = f"""\
[site]
key = "acme"
name = "ACME"
domains = ["acme.example", "пример.рф", "localhost"]
timezone = "Europe/Samara"
currency = "rub"
lead_days = 14

[[pool]]
name = "main"
replaces = ["+74950000000"]
numbers = ["+74951000001", "8 (495) 100-00-02"]
forward_to = "+74950000000"
share = false
late = "always"
overflow = "+74951000099"

[[static]]
number = "+74951000100"
source = {{ source = "billboard", medium = "offline", campaign = "ring-road" }}
forward_to = "+74950000000"

[[mailbox]]
replaces = ["Info@acme.example"]
forward_to = "info@acme.example"
next_hop = "smtp://relay:p%40ss@mx.acme.example:25"

[[telephony]]
name = "pbx"
kind = "mango"
api_key = "the-api-key"
api_salt = "the-api-salt"

[[destination]]
name = "crm"
kind = "webhook"
url = "https://crm.acme.example/hook"
secret = "{SECRET}"
"""
URL = "https://calls.acme.example"


async def apply(
    db: database.Connection,
    seal: Seal,
    text: str = FILE,
    *,
    later: timedelta = timedelta(),
) -> tuple[str, ...]:
    applied = await provision.apply_text(
        db, text, seal, connections.known(), at=NOON + later
    )
    return applied.changes


async def shown(db: database.Connection, seal: Seal, *, secrets: bool = False) -> str:
    stored = await provision_read.load(db, "acme", seal)
    assert stored is not None
    return provision_text.as_toml(
        stored.setup, connections.known(), public_url=URL, secrets=secrets
    )


def refused(text: str) -> list[str]:
    with pytest.raises(BadFile) as error:
        provision_file.read(text, connections.known())
    return error.value.problems


def line_of(text: str, part: str) -> int:
    return text[: text.index(part)].count("\n") + 1


# --- what the file becomes -----------------------------------------------------------


async def test_a_file_becomes_a_site_that_processes_load(db, pool, seal):
    await apply(db, seal)

    directory = Directory(pool, seal)
    await directory.load()
    site = directory.site("acme")
    assert site is not None
    assert (site.name, str(site.timezone), site.currency) == (
        "ACME",
        "Europe/Samara",
        "RUB",
    )
    assert site.domains == ("acme.example", "xn--e1afmkfd.xn--p1ai", "localhost")
    assert site.lead_window == timedelta(days=14)
    [main] = site.pools
    assert main.numbers == ((0, "+74951000001"), (1, "+74951000002"))
    assert (main.share, main.late, main.overflow) == (False, "always", "+74951000099")
    [billboard] = site.statics
    assert billboard.source["campaign"] == "ring-road"
    assert billboard.source["channel"] == "offline"
    [mailbox] = site.mailboxes
    assert mailbox.replaces == ("info@acme.example",)
    assert mailbox.next_hop == "smtp://relay:p%40ss@mx.acme.example:25"
    pbx, crm = site.connections
    assert pbx.settings == {"api_key": "the-api-key", "api_salt": "the-api-salt"}
    assert directory.hook(pbx.key) == pbx
    assert (crm.role, crm.kind) == ("destination", "webhook")


async def test_what_changed_is_told_and_a_second_time_nothing(db, seal):
    first = await apply(db, seal)
    assert first[0] == "site acme: added"
    assert "number +74951000001: added" in first
    assert "telephony pbx (mango): added" in first

    before = await everything(db)
    assert await apply(db, seal, later=timedelta(days=1)) == ()
    assert await everything(db) == before


async def everything(db: database.Connection) -> dict[str, list[str]]:
    tables = ("sites", "pools", "numbers", "mailboxes", "connections", "sources")
    return {
        table: sorted(map(str, await db.fetch(f"SELECT * FROM {table}")))
        for table in tables
    }


async def test_what_is_shown_can_be_applied_and_changes_nothing(db, seal):
    await apply(db, seal)

    for secrets in (False, True):
        assert await apply(db, seal, await shown(db, seal, secrets=secrets)) == ()


async def test_secrets_are_shown_only_when_asked_for_and_never_told(db, seal):
    told = "\n".join(await apply(db, seal))
    told += "\n".join(await apply(db, seal, FILE.replace("the-api-key", "new-api-key")))
    assert "api_key changed" in told

    plain = await shown(db, seal)
    for secret in ("new-api-key", "the-api-salt", SECRET, "p%40ss"):
        assert secret not in plain
        assert secret not in told
        assert secret in await shown(db, seal, secrets=True)


async def test_secrets_are_sealed_in_the_tables(db, seal):
    await apply(db, seal)

    rows = str(await db.fetch("SELECT settings FROM connections")) + str(
        await db.fetch("SELECT next_hop FROM mailboxes")
    )

    assert "the-api-key" not in rows
    assert "mx.acme" not in rows


async def test_a_veiled_secret_keeps_what_is_stored_while_the_rest_changes(db, seal):
    await apply(db, seal)
    text = (await shown(db, seal)).replace('api_salt = "…"', 'api_salt = "new"')

    assert await apply(db, seal, text) == ("telephony pbx: api_salt changed",)

    stored = await provision_read.load(db, "acme", seal)
    assert stored is not None
    assert stored.setup.connections[0].settings == {
        "api_key": "the-api-key",
        "api_salt": "new",
    }


async def test_a_veiled_secret_of_which_nothing_is_stored_is_refused(db, seal):
    text = FILE.replace('"the-api-key"', '"…"').replace(
        "smtp://relay:p%40ss@mx.acme.example:25", "…"
    )

    with pytest.raises(BadFile) as error:
        await apply(db, seal, text)

    assert [problem.split(": ")[1] for problem in error.value.problems] == [
        "mailbox[0].next_hop",
        "telephony[0].api_key",
    ]
    assert await db.fetchval("SELECT count(*) FROM sites") == 0


async def test_scripts_get_the_full_address_of_each_hook(db, seal):
    await apply(db, seal)
    stored = await provision_read.load(db, "acme", seal)
    assert stored is not None

    told = provision_text.as_json(
        stored.setup, connections.known(), public_url=URL, secrets=False
    )

    told = json.loads(json.dumps(told))
    [pbx] = told["telephony"]
    key = await db.fetchval("SELECT key FROM connections WHERE name = 'pbx'")
    assert len(key) == 32
    assert (pbx["name"], pbx["hook"]) == ("pbx", f"{URL}/hooks/mango/{key}")
    assert told["destinations"][0]["name"] == "crm"
    assert told["site"]["snippet"] == f"{URL}/s/acme.js"


# --- several pools, and numbers that rest -----------------------------------------------

TARGET = """target = { sources = [{ source = "yandex", medium = "cpc", campaign = "k*" }], \
paths = ["/moscow/*"], regions = ["Moscow", "RU-MOW"], devices = ["mobile"], traffic = 0.5 }
"""
SECOND = """[[pool]]
name = "second"
replaces = ["+74950000000"]
numbers = ["+74952000001", "+74952000002"]
resting = ["+74952000002"]
"""


async def loaded(pool: database.Pool, seal: Seal) -> Site:
    directory = Directory(pool, seal)
    await directory.load()
    site = directory.site("acme")
    assert site is not None
    return site


async def test_a_target_and_resting_numbers_come_back_as_they_were_written(
    db, pool, seal
):
    text = FILE + SECOND + TARGET
    await apply(db, seal, text)

    assert await apply(db, seal, text) == ()
    assert await apply(db, seal, await shown(db, seal)) == ()
    assert TARGET.strip() in await shown(db, seal)
    _, second = (await loaded(pool, seal)).pools
    assert second.resting == {"+74952000002"}
    assert second.target == Target(
        sources=(Origin(source="yandex", medium="cpc", campaign="k*"),),
        paths=("/moscow/*",),
        regions=("Moscow", "RU-MOW"),
        devices=("mobile",),
        traffic=0.5,
    )


async def test_a_target_may_have_a_header_of_its_own(db, seal):
    await apply(db, seal, FILE + SECOND + TARGET)
    header = SECOND + '[pool.target]\npaths = ["/moscow/*"]\ntraffic = 1\n'

    assert await apply(db, seal, FILE + header) == ("pool second: target changed",)
    gone = SECOND.replace("+74950000000", "+74950000001")
    assert await apply(db, seal, FILE + gone) == (
        "pool second: replaces, target changed",
    )


async def test_a_number_rests_and_is_lent_again(db, pool, seal):
    text = FILE + SECOND + TARGET
    await apply(db, seal, text)
    awake = text.replace('resting = ["+74952000002"]\n', "")

    assert await apply(db, seal, awake) == ("number +74952000002: lent again",)
    assert await apply(db, seal, text) == ("number +74952000002: rests",)
    assert len((await loaded(pool, seal)).pools[1].numbers) == 2


async def test_pools_stand_in_the_owners_order(db, pool, seal):
    first = FILE.index("[[pool]]")
    before = FILE[:first] + SECOND + TARGET + FILE[first:]
    assert "pool second: added" in await apply(db, seal, before)
    assert [one.name for one in (await loaded(pool, seal)).pools] == ["second", "main"]

    after = FILE + SECOND + TARGET
    assert await apply(db, seal, after) == ("pools: order changed",)
    assert await apply(db, seal, after) == ()
    assert [one.name for one in (await loaded(pool, seal)).pools] == ["main", "second"]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("target = {}", "target: must name at least one of sources, paths"),
        ("target = 5", "target: must be a table"),
        ("target = { traffic = 0 }", "target.traffic: must be a number above 0"),
        ("target = { traffic = true }", "target.traffic: must be a number above 0"),
        ("target = { traffic = nan }", "target.traffic: must be a number above 0"),
        ("target = { traffic = '1' }", "target.traffic: must be a number above 0"),
        ("target = { paths = ['moscow'] }", "target.paths[0]: must begin with /"),
        ("target = { paths = [] }", "target.paths: must have at least one"),
        ("target = { devices = ['tv'] }", "target.devices[0]: must be desktop or"),
        ("target = { regions = [5] }", "target.regions[0]: must be among names"),
        ("target = { region = 'x' }", "target.region: is not known here; there are"),
        ("target = { sources = [{}] }", "target.sources[0]: must name at least one"),
        ("target = { sources = ['vk'] }", "target.sources[0]: must be among tables"),
        (
            "target = { sources = [{ term = 'x' }] }",
            "target.sources[0].term: is not known here",
        ),
        (
            f"target = {{ paths = {['/x'] * 101} }}",
            "target.paths: must have at most 100",
        ),
        ("resting = ['+74959999999']", "resting[0]: +74959999999 is none of this"),
        ("resting = '+74951000001'", "resting: must be a list of phone numbers"),
    ],
)
def test_a_target_that_is_not_understood_is_refused_with_its_line(line, problem):
    text = FILE.replace('late = "always"', f'late = "always"\n{line}')

    (told, *_) = refused(text)

    assert told.startswith(f"line {line_of(text, line)}: pool[0].{problem}")


def test_two_pools_for_everybody_in_place_of_one_number_are_refused():
    text = FILE + SECOND

    (told,) = refused(text)

    assert told == (
        f"line {line_of(text, SECOND) + 2}: pool[1].replaces[0]: +74950000000 is replaced "
        "already, for everybody, by pool main: give one of the two a target"
    )
    other_kind = SECOND.replace("+7495200", "+7800200")
    found = provision_file.read(FILE + other_kind, connections.known())
    assert len(found.pools) == 2  # each has its own page number to lend for


async def test_numbers_of_another_kind_are_warned_of_and_taken(db, seal):
    text = FILE + SECOND.replace("+74952000001", "+78002000001") + TARGET
    applied = await provision.apply_text(db, text, seal, connections.known(), at=NOON)
    assert applied.warnings == (
        "pool second: its numbers are of several kinds: +7 toll-free, +7 495",
    )

    text = FILE.replace("+74951000001", "+78122000001").replace(
        ', "8 (495) 100-00-02"', ""
    )
    applied = await provision.apply_text(db, text, seal, connections.known(), at=NOON)
    assert applied.warnings == (
        "pool main: replaces +74950000000 by numbers of another kind: +7 812",
    )


# --- what goes and comes back ----------------------------------------------------------

WITHOUT_SECOND = FILE.replace(', "8 (495) 100-00-02"', "")


async def positions(db: database.Connection) -> dict[str, tuple[int, bool]]:
    rows = await db.fetch(
        "SELECT number, position, retired_at IS NULL AS live FROM numbers"
    )
    return {row["number"]: (row["position"], row["live"]) for row in rows}


async def test_a_removed_number_is_retired_and_its_position_given_to_no_other(db, seal):
    await apply(db, seal)
    assert await apply(db, seal, WITHOUT_SECOND) == ("number +74951000002: retired",)
    before = await positions(db)
    assert before["+74951000002"] == (1, False)

    await apply(db, seal, FILE.replace("8 (495) 100-00-02", "+74951000003"))

    after = await positions(db)
    assert after["+74951000002"] == (1, False)
    assert len({position for position, _ in after.values()}) == len(after)


async def test_a_number_that_comes_back_takes_its_old_position(db, seal):
    await apply(db, seal)
    before = await positions(db)
    await apply(db, seal, WITHOUT_SECOND)

    assert await apply(db, seal) == ("number +74951000002: added",)

    assert await positions(db) == before


async def test_a_number_moves_between_pools_with_its_position(db, seal):
    await apply(db, seal)
    before = await positions(db)
    other = '[[pool]]\nname = "other"\nreplaces = ["+74950000009"]\nnumbers = ["+74951000002"]\n'

    changes = await apply(db, seal, WITHOUT_SECOND + other)

    assert changes == ("pool other: added", "number +74951000002: changed")
    assert await positions(db) == before
    assert await apply(db, seal, await shown(db, seal)) == ()


async def test_a_removed_pool_lends_no_more_but_late_calls_still_know_it(
    db, pool, seal
):
    await apply(db, seal)
    without = FILE[: FILE.index("[[pool]]")] + FILE[FILE.index("[[static]]") :]

    changes = await apply(db, seal, without)

    assert changes[0] == "pool main: removed"
    directory = Directory(pool, seal)
    await directory.load()
    site = directory.site("acme")
    assert site is not None
    assert site.pools == ()
    dialled = site.numbers["+74951000001"]
    assert dialled.pool is not None
    assert dialled.pool.name == "main"
    assert dialled.forward_to == "+74950000000"

    back = await apply(db, seal)
    assert back[0] == "pool main: back again"
    assert await apply(db, seal) == ()


async def test_a_removed_connection_is_deleted_and_one_of_another_kind_is_new(db, seal):
    await apply(db, seal)
    before = await db.fetchrow("SELECT id, key FROM connections WHERE name = 'pbx'")
    text = FILE.replace('kind = "mango"', 'kind = "generic"')
    text = text.replace(
        'api_key = "the-api-key"\napi_salt = "the-api-salt"', 'token = "t"'
    )

    assert await apply(db, seal, text) == (
        "telephony pbx (mango): removed",
        "telephony pbx (generic): added",
    )

    after = await db.fetchrow("SELECT id, key FROM connections WHERE name = 'pbx'")
    assert after["id"] != before["id"]
    assert after["key"] != before["key"]
    gone = text[: text.index("[[telephony]]")]
    await apply(db, seal, gone)
    assert await db.fetchval("SELECT count(*) FROM connections") == 0


async def test_a_hook_keeps_its_key_unless_the_file_has_another(db, seal):
    async def key() -> str:
        return await db.fetchval("SELECT key FROM connections WHERE name = 'pbx'")

    await apply(db, seal)
    minted = await key()
    await apply(db, seal, FILE.replace("the-api-key", "another"))
    assert await key() == minted

    chosen = FILE.replace(
        'kind = "mango"', 'kind = "mango"\nkey = "chosen-by-the-owner"'
    )
    await apply(db, seal, chosen)
    assert await key() == "chosen-by-the-owner"
    await apply(db, seal)
    assert await key() == "chosen-by-the-owner"


async def test_a_key_of_another_site_is_refused_and_nothing_written(db, seal):
    chosen = FILE.replace(
        'kind = "mango"', 'kind = "mango"\nkey = "chosen-by-the-owner"'
    )
    await apply(db, seal, chosen)

    with pytest.raises(BadInput, match="telephony pbx, key: belongs to another"):
        await apply(db, seal, chosen.replace('"acme"', '"other"'))

    assert await db.fetchval("SELECT count(*) FROM sites") == 1


async def test_a_mailbox_keeps_its_id_while_something_of_it_stays(db, seal):
    async def ids() -> list[int]:
        return [
            row["id"] for row in await db.fetch("SELECT id FROM mailboxes ORDER BY id")
        ]

    await apply(db, seal)
    before = await ids()
    await apply(db, seal, FILE.replace('forward_to = "info@', 'forward_to = "office@'))
    await apply(
        db,
        seal,
        FILE.replace('["Info@', '["sales@').replace(
            'forward_to = "info@', 'forward_to = "office@'
        ),
    )
    assert await ids() == before

    without = FILE[: FILE.index("[[mailbox]]")] + FILE[FILE.index("[[telephony]]") :]
    assert await apply(db, seal, without) == ("mailbox office@acme.example: removed",)
    assert await ids() == []


async def test_rules_go_back_to_usual_when_they_are_left_out(db, seal):
    await apply(db, seal)
    await db.execute(
        "UPDATE sites SET settings = settings || '{\"of_the_dashboard\": 1}'::jsonb"
    )

    assert await apply(db, seal, FILE.replace("lead_days = 14\n", "")) == (
        "site acme: lead_days changed",
    )

    assert await db.fetchval("SELECT settings FROM sites") == {"of_the_dashboard": 1}


async def test_two_at_once_make_one_site(pool, seal):
    import asyncio

    async def one() -> tuple[str, ...]:
        async with pool.acquire() as connection:
            return await apply(connection, seal)

    changes = await asyncio.gather(*(one() for _ in range(4)))

    assert sorted(map(bool, changes)) == [False, False, False, True]
    assert await pool.fetchval("SELECT count(*) FROM numbers") == 4


async def test_many_numbers_are_told_in_one_line(db, seal):
    many = ", ".join(f'"+7495200{n:04}"' for n in range(300))

    changes = await apply(db, seal, FILE.replace('"8 (495) 100-00-02"', many))

    assert "303 numbers added: +74951000001 … +74951000100" in changes
    assert len(changes) < 10


async def test_a_bad_file_changes_nothing(db, seal):
    await apply(db, seal)
    before = await everything(db)

    with pytest.raises(BadFile):
        await apply(
            db, seal, FILE.replace("ACME", "New name").replace("+74951000100", "12")
        )

    assert await everything(db) == before


# --- what is refused ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "field", "remedy"),
    [
        ('key = "acme"', 'key = "Ac me"', "site.key", "a short name"),
        ('name = "ACME"\n', "name = 5\n", "site.name", "one line of text"),
        ('"acme.example",', '"https://acme.example/",', "site.domains[0]", "without https://"),
        ('"localhost"]', '"localhost", 5]', "site.domains[3]", "acme.example"),
        ("Europe/Samara", "Europe/Mars", "site.timezone", "Europe/Moscow"),
        ('"rub"', '"ROUBLES"', "site.currency", "ISO 4217"),
        ("lead_days = 14", "lead_days = 0", "site.lead_days", "from 1"),
        ("lead_days = 14", 'lead_days = "x"', "site.lead_days", "int"),
        ("lead_days = 14", 'country = "XX"', "site.country", "ISO 3166"),
        ("lead_days = 14", "led_days = 14", "site.led_days", "lead_days"),
        ('numbers = ["+74951000001"', 'numbers = ["12"', "pool[0].numbers[0]", "+74950000000"),
        ('numbers = ["+74951000001"', "numbers = [7495", "pool[0].numbers[0]", "in quotes"),
        ("share = false", 'share = "no"', "pool[0].share", "true or false"),
        ('late = "always"', 'late = "often"', "pool[0].late", "peak, always, never"),
        ('late = "always"', "rest = -1", "pool[0].rest", "from 0"),
        ('late = "always"', "rest = true", "pool[0].rest", "whole number"),
        ('late = "always"', 'color = "red"', "pool[0].color", "overflow"),
        ('"+74951000099"', '"+74951000001"', "pool[0].overflow", "already"),
        ('"+74951000100"', '"8 495 100 00 01"', "static[0].number", "already"),
        ("overflow", 'name = "x"\noverflow', "", "overwrite"),
        ('forward_to = "+74950000000"\nshare', 'forward_to = "+74951000002"\nshare', "pool[0].forward_to", "in a ring"),
        ('replaces = ["+74950000000"]', 'replaces = ["+74951000001"]', "pool[0].replaces[0]", "replaces others"),
        ('replaces = ["+74950000000"]', "replaces = []", "pool[0].replaces", "at least one"),
        ('medium = "offline", ', "", "static[0].source.medium", "required"),
        ('"info@acme', '"info acme', "mailbox[0].forward_to", "info@acme.example"),
        ("smtp://relay", "http://relay", "mailbox[0].next_hop", "smtp://"),
        ("example:25", "example:99999", "mailbox[0].next_hop", "smtp://"),
        ('kind = "mango"', 'kind = "mungo"', "telephony[0].kind", "must be one of"),
        ('kind = "mango"', 'kind = "mango"\nkey = "short"', "telephony[0].key", "16 to 100"),
        ('api_salt = "the-api-salt"', "", "telephony[0].api_salt", "required"),
        ('api_salt = "the-api-salt"', "api_salt = 5", "telephony[0].api_salt", "str"),
        ("api_salt", "salt", "telephony[0].salt", "api_key, api_salt"),
        (f'secret = "{SECRET}"', 'secret = "whsec_AAAA"', "destination[0].secret", "24 to 64"),
        ("[[telephony]]", "[[telefony]]", "telefony", "telephony"),
        ("[[pool]]", "[pool]", "pool", "[[pool]]"),
        ('name = "ACME"', 'name = "AC\\u0000ME"', "site.name", "one line"),
        ('name = "ACME"', f'name = "{"x" * 256}"', "site.name", "one line"),
    ],
)  # fmt: skip
def test_a_bad_value_is_named_with_line_field_and_remedy(old, new, field, remedy):
    assert old in FILE
    text = FILE.replace(old, new, 1)

    problems = refused(text)

    told = [problem for problem in problems if f": {field}" in problem]
    assert told, problems
    assert remedy in told[0]
    assert told[0].startswith("line ")
    if field and field.rpartition(".")[2].partition("[")[0] in new:
        found = tomllib.loads(text)
        assert found
        part = field.rpartition(".")[2].partition("[")[0]
        line = int(told[0].split()[1].strip(":"))
        assert part in text.splitlines()[line - 1]


def test_every_problem_is_named_at_once_in_the_order_of_the_file():
    text = FILE.replace("Europe/Samara", "Mars").replace("+74951000100", "1")
    text = text.replace('kind = "webhook"', 'kind = "webhok"')

    problems = refused(text)

    assert [problem.split(": ")[0] for problem in problems] == [
        f"line {line_of(text, part)}"
        for part in ('timezone = "Mars"', 'number = "1"', 'kind = "webhok"')
    ]


def test_names_and_numbers_that_stand_twice_are_refused_at_the_second_place():
    again = FILE[FILE.index("[[pool]]") : FILE.index("[[static]]")]
    again += FILE[FILE.index("[[telephony]]") : FILE.index("[[destination]]")]
    text = FILE + again

    problems = refused(text)

    second = FILE.count("\n")
    assert all(int(problem.split()[1].strip(":")) > second for problem in problems)
    told = "\n".join(problems)
    assert "pool[1].name: main is taken" in told
    assert "telephony[1].name: pbx is taken" in told
    assert "pool[1].numbers[1]: +74951000002 is a tracking number already" in told
    assert "pool[1].replaces[0]: +74950000000 is replaced already" in told


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[site]\nkey = acme", 2),
        ("[site", 1),
        ("a = 1\nb = '''x\n", 3),
        ("x = 1\nx = 2", 2),
    ],
)
def test_what_is_not_toml_is_refused_with_its_line(text, line):
    [problem] = refused(text)

    assert problem.startswith(f"line {line}: ")


def test_an_endless_or_deeply_nested_file_is_refused():
    assert "longer than" in refused("#" * 1_000_001)[0]
    assert "deeply" in refused("a = " + "[" * 5000 + "]" * 5000)[0]


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_with_reasons(text):
    for candidate in (text, f"[site]\n{text}", FILE + text):
        try:
            provision_file.read(candidate, connections.known())
        except BadFile as error:
            assert error.problems


keys = st.sampled_from(
    ["key", "name", "domains", "numbers", "replaces", "source", "kind"]
)
values = st.recursive(
    st.one_of(
        st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=5)
    ),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(keys, inner, max_size=2)
    ),
    max_leaves=5,
)


@given(
    st.sampled_from(["site", "[pool]", "[static]", "[mailbox]", "[telephony]"]),
    st.dictionaries(keys, values),
)
def test_values_of_any_type_are_refused_with_reasons(header, body):
    text = provision_text.table(f"[{header}]", body)

    assert refused(text)


target_keys = st.sampled_from(
    ["sources", "paths", "regions", "devices", "traffic", "source"]
)


@given(st.dictionaries(target_keys, values))
def test_any_target_is_read_or_refused_with_reasons(body):
    text = FILE + SECOND + provision_text.table("[pool.target]", body)
    try:
        found = provision_file.read(text, connections.known())
    except BadFile as error:
        assert all("pool[1].target" in problem for problem in error.problems)
    else:
        assert found.pools[1].target is not None
