"""The command, as a shell runs it: results on standard output, words on standard error."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.tracker.test_provision import FILE
from tracker import users

pytestmark = pytest.mark.xdist_group("cli")  # one process runs the commands of all


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a shell sees of a command."""

    returncode: int
    stdout: str
    stderr: str


PYTHON = (sys.executable, "-m", "tracker.cli")
Skvoz = Callable[..., Outcome]


@pytest.fixture(scope="module")
def worker() -> Iterator["subprocess.Popen[str]"]:
    """A process that carries out one command after another."""
    command = [sys.executable, "-m", "tests.tracker.many_commands"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        yield process
        process.kill()


@pytest.fixture
def environment(database_url: str, tmp_path: Path) -> dict[str, str]:
    return {
        "DATABASE_URL": database_url,
        "SKVOZ_DATA": str(tmp_path / "data"),
        "SKVOZ_SECRET_KEY": "only for tests",
        "SKVOZ_PUBLIC_URL": "https://calls.acme.example",
        "SKVOZ_HTTP_PORT": "8080",
        "SKVOZ_LOG_LEVEL": "INFO",
    }


@pytest.fixture
def skvoz(worker: "subprocess.Popen[str]", environment: dict[str, str]) -> Skvoz:
    """Runs a command against the test's own database."""
    assert worker.stdin is not None
    assert worker.stdout is not None
    questions, answers = worker.stdin, worker.stdout

    def run(*arguments: str, typed: str = "", **changes: str) -> Outcome:
        request = {
            "arguments": arguments,
            "typed": typed,
            "environment": {**environment, **changes},
        }
        questions.write(json.dumps(request) + "\n")
        questions.flush()
        told = json.loads(answers.readline())
        return Outcome(returncode=told["code"], stdout=told["out"], stderr=told["err"])

    return run


def test_numbers_of_another_kind_are_taken_with_a_note(skvoz):
    text = FILE.replace("+74951000001", "+78001000001")

    applied = skvoz("apply", "-", typed=text)
    again = skvoz("apply", "-", "--json", typed=text)

    note = "pool main: its numbers are of several kinds: +7 toll-free, +7 495"
    assert applied.returncode == 0
    assert applied.stderr == f"note: {note}\n"
    assert json.loads(again.stdout) == {
        "site": "acme",
        "changes": [],
        "warnings": [note],
    }


def test_a_file_is_applied_shown_and_applied_again(skvoz, tmp_path):
    file = tmp_path / "acme.toml"
    file.write_text(FILE)

    first = skvoz("apply", str(file))
    assert first.returncode == 0, first.stderr
    assert first.stdout.startswith("site acme: added\n")

    shown = skvoz("show", "acme", "--secrets")
    again = skvoz("apply", "-", typed=shown.stdout)
    assert (again.returncode, again.stdout) == (0, "nothing to change\n")

    told = json.loads(skvoz("show", "acme", "--json").stdout)
    assert told["telephony"][0]["hook"].startswith(
        "https://calls.acme.example/hooks/mango/"
    )


def test_what_a_provider_needs_is_printed_ready_to_paste(skvoz):
    more = (
        '\n[[telephony]]\nname = "scenario"\nkind = "voximplant"\nsecret = "s-1234"\n'
    )
    assert skvoz("apply", "-", typed=FILE + more).returncode == 0

    shown = skvoz("show", "acme", "--paste", "scenario").stdout

    assert shown.startswith("# the hook's address\nhttps://calls.acme.example/hooks/")
    assert "# voximplant.scenario.js\n" in shown
    assert '"s-1234"' in shown
    refused = skvoz("show", "acme", "--paste", "x")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == "--paste: must be one of pbx, scenario\n"


def test_a_bad_file_ends_in_one_line_a_problem_and_no_traceback(skvoz):
    text = FILE.replace("Europe/Samara", "Mars").replace('kind = "mango"', 'kind = "x"')

    refused = skvoz("apply", "-", "--json", typed=text)

    assert refused.returncode == 2
    assert refused.stdout == ""
    assert len(refused.stderr.splitlines()) == 2
    assert refused.stderr.startswith("line 5: site.timezone: ")
    assert "sites: none yet" in skvoz("show", "acme").stderr


@pytest.mark.parametrize("name", ["/nowhere/at/all.toml", "/"])
def test_a_file_that_cannot_be_read_is_named(skvoz, name):
    refused = skvoz("apply", name)

    assert refused.returncode == 2
    assert refused.stderr.startswith(f"{name}: cannot be read: ")


def test_a_token_stands_alone_on_standard_output_and_can_be_revoked(skvoz):
    skvoz("apply", "-", typed=FILE)

    made = skvoz("token", "add", "acme", "--scope", "read,write", "--name", "BI")

    assert made.returncode == 0, made.stderr
    assert len(made.stdout.splitlines()) == 1
    assert made.stdout.startswith("skv_")
    listed = skvoz("token", "list", "acme").stdout
    assert "read, write" in listed
    assert made.stdout.strip() not in listed
    id_ = listed.splitlines()[1].split()[0]
    assert skvoz("token", "revoke", "acme", id_).returncode == 0
    again = skvoz("token", "revoke", "acme", id_)
    assert (again.returncode, "Traceback" in again.stderr) == (2, False)


def test_a_person_is_added_with_a_link_and_removed(skvoz):
    link = skvoz("user", "add", "anna@acme.example", "--name", "Анна")
    assert link.stdout.startswith("https://calls.acme.example/sign-in/")

    again = skvoz("user", "add", "anna@acme.example")
    assert again.returncode == 2
    assert "anna@acme.example is there already" in again.stderr
    assert skvoz("user", "add", "anna@acme.example", "--link").stdout != link.stdout

    listed = skvoz("user", "list").stdout
    assert [line.split()[0] for line in listed.splitlines()[1:]] == [
        "anna@acme.example"
    ]
    assert skvoz("user", "remove", "anna@acme.example").returncode == 0
    assert skvoz("user", "remove", "anna@acme.example").returncode == 2


async def test_a_password_is_typed_twice_and_not_an_argument(environment, db):
    whole = subprocess.run(
        [*PYTHON, "user", "add", "boris@acme.example", "--password"],
        env={**os.environ, **environment},
        input="correct horse\ncorrect horse\n",
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
        start_new_session=True,  # no terminal: the password is read from the input
    )

    assert (whole.returncode, whole.stdout) == (0, ""), whole.stderr
    assert await users.check(db, "boris@acme.example", "correct horse")


def test_bad_settings_are_named_all_at_once_without_a_traceback(skvoz):
    refused = skvoz("user", "list", SKVOZ_HTTP_PORT="x", SKVOZ_LOG_LEVEL="LOUD")

    assert refused.returncode == 2
    [line] = refused.stderr.splitlines()
    assert "SKVOZ_HTTP_PORT" in line
    assert "SKVOZ_LOG_LEVEL" in line


def test_migrating_twice_is_harmless(skvoz):
    done = skvoz("migrate")

    assert (done.returncode, done.stdout) == (0, "")
    assert "Nothing to migrate" in done.stderr


def test_a_database_that_was_never_migrated_is_told_with_the_remedy(skvoz, postgres):
    refused = skvoz("user", "list", DATABASE_URL=postgres.url("postgres"))

    assert refused.returncode == 2
    assert "run skvoz migrate" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_with_nothing_running_a_command_starts_the_database_just_for_itself(
    skvoz, tmp_path
):
    applied = skvoz("apply", "-", typed=FILE, DATABASE_URL="")
    assert applied.returncode == 0, applied.stderr
    assert applied.stdout.startswith("site acme: added")

    assert not (tmp_path / "data/postgres/postmaster.pid").exists()
    shown = skvoz("show", "acme", DATABASE_URL="")
    assert shown.returncode == 0
    assert 'key = "acme"' in shown.stdout
    assert shown.stderr == ""
