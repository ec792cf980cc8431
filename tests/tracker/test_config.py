"""Process settings: complete or refused, every problem at once."""

from ipaddress import ip_network
from pathlib import Path

import pytest

from tracker import config
from tracker.errors import BadInput


def test_everything_has_a_default_that_works_on_one_machine():
    settings = config.read({})

    assert (settings.database_url, settings.redis_url) == ("", "")
    assert (settings.http_port, settings.smtp_port) == (8080, 2525)
    assert settings.public_url == "http://localhost:8080"
    assert settings.mail_host == "relay.track.localhost"
    assert settings.data.is_absolute()


def test_the_public_address_follows_the_port_and_the_relay_the_mail_domain():
    settings = config.read(
        {"SKVOZ_HTTP_PORT": "9000", "SKVOZ_MAIL_DOMAIN": "T.Acme.Example"}
    )

    assert settings.public_url == "http://localhost:9000"
    assert (settings.mail_domain, settings.mail_host) == (
        "t.acme.example",
        "relay.t.acme.example",
    )


def test_every_problem_is_named_at_once_in_one_line():
    with pytest.raises(BadInput) as refused:
        config.read(
            {
                "SKVOZ_HTTP_PORT": "99999",
                "SKVOZ_SMTP_PORT": "two",
                "SKVOZ_PUBLIC_URL": "skvoz.example",
                "SKVOZ_PROXIES": "10.0.0.0/8 nonsense",
                "SKVOZ_REGION_HEADER": "X Region",
                "SKVOZ_LOG_LEVEL": "LOUD",
                "SKVOZ_SECRET_KEY_FILE": "/nowhere/at/all",
            }
        )

    text = str(refused.value)
    assert "\n" not in text
    for name in (
        "SKVOZ_HTTP_PORT",
        "SKVOZ_SMTP_PORT",
        "SKVOZ_PUBLIC_URL",
        "nonsense",
        "SKVOZ_REGION_HEADER",
        "SKVOZ_LOG_LEVEL",
        "SKVOZ_SECRET_KEY_FILE",
    ):
        assert name in text
    assert "10.0.0.0/8 is not" not in text


def test_any_value_can_come_from_a_file(tmp_path: Path):
    secret = tmp_path / "url"
    secret.write_text("postgresql://db/skvoz\n")

    assert (
        config.read({"DATABASE_URL_FILE": str(secret)}).database_url
        == "postgresql://db/skvoz"
    )


def test_a_value_that_is_set_wins_over_its_file(tmp_path: Path):
    secret = tmp_path / "url"
    secret.write_text("redis://from-file")

    settings = config.read({"REDIS_URL": "redis://set", "REDIS_URL_FILE": str(secret)})

    assert settings.redis_url == "redis://set"


def test_networks_are_read_with_commas_or_spaces():
    settings = config.read({"SKVOZ_TRUSTED_NETWORKS": "10.1.2.3/8, 2001:db8::/32"})

    assert settings.trusted_networks == (
        ip_network("10.0.0.0/8"),
        ip_network("2001:db8::/32"),
    )


def test_a_child_gets_our_environment_with_the_changes(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SKVOZ_TEST_KEPT", "kept")
    monkeypatch.setenv("DATABASE_URL", "ours")

    environment = config.for_child(DATABASE_URL="theirs")

    assert environment["SKVOZ_TEST_KEPT"] == "kept"
    assert environment["DATABASE_URL"] == "theirs"
