"""Process settings: read from the environment once, complete or refused.

The only module that reads the environment. What an owner sets up (sites, numbers,
connections) lives in the database instead.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path

import platformdirs

from tracker import valkey_client
from tracker.errors import BadInput

Network = IPv4Network | IPv6Network
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")  # a token of RFC 9110


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How this process runs. An empty store URL means: the embedded engine."""

    database_url: str
    redis_url: str
    public_url: str  # scheme and host that visitors, providers and people reach
    mail_domain: str  # aliases are minted under it
    mail_host: str  # the relay's own name in EHLO and in trace headers
    admin_email: str  # postmaster@ and alerts go here; empty: kept only
    admin_next_hop: str  # where letters to the administrator are handed on
    http_host: str
    http_port: int
    smtp_host: str
    smtp_port: int
    web_processes: int
    visit_patience: float  # seconds until a page is told to keep what it has
    data: Path
    secret_key: str  # seals settings at rest; empty: a key file under `data`
    trusted_networks: tuple[Network, ...]  # exempt from rate limits
    proxies: tuple[Network, ...]  # whose X-Forwarded-For is believed
    region_header: str  # in which those proxies tell where a visitor is
    private_hosts: bool  # whether destinations may stand in private networks
    tls_certificate: str
    tls_key: str
    log_level: str


def read(environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings, or BadInput naming every problem at once in one line."""
    reader = _Reader(environment)
    http_port = reader.port("SKVOZ_HTTP_PORT", 8080)
    mail_domain = reader.text("SKVOZ_MAIL_DOMAIN", "track.localhost").lower()
    settings = Settings(
        database_url=reader.text("DATABASE_URL"),
        redis_url=reader.valkey("REDIS_URL"),
        public_url=reader.url("SKVOZ_PUBLIC_URL", f"http://localhost:{http_port}"),
        mail_domain=mail_domain,
        mail_host=reader.text("SKVOZ_MAIL_HOST", f"relay.{mail_domain}").lower(),
        admin_email=reader.text("SKVOZ_ADMIN_EMAIL"),
        admin_next_hop=reader.text("SKVOZ_ADMIN_NEXT_HOP"),
        http_host=reader.text("SKVOZ_HTTP_HOST", "0.0.0.0"),  # noqa: S104 - a server
        http_port=http_port,
        smtp_host=reader.text("SKVOZ_SMTP_HOST", "0.0.0.0"),  # noqa: S104 - a server
        smtp_port=reader.port("SKVOZ_SMTP_PORT", 2525),
        web_processes=reader.integer("SKVOZ_WEB_PROCESSES", 1, low=1, high=64),
        visit_patience=reader.integer(
            "SKVOZ_VISIT_PATIENCE_MS", 250, low=50, high=60_000
        )
        / 1000,
        data=Path(reader.text("SKVOZ_DATA", str(_data()))).expanduser().absolute(),
        secret_key=reader.text("SKVOZ_SECRET_KEY"),
        trusted_networks=reader.networks("SKVOZ_TRUSTED_NETWORKS"),
        proxies=reader.networks("SKVOZ_PROXIES"),
        region_header=reader.header("SKVOZ_REGION_HEADER", "X-Region"),
        private_hosts=reader.flag("SKVOZ_PRIVATE_HOSTS", True),
        tls_certificate=reader.text("SKVOZ_TLS_CERTIFICATE"),
        tls_key=reader.text("SKVOZ_TLS_KEY"),
        log_level=reader.choice(
            "SKVOZ_LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR")
        ),
    )
    if reader.problems:
        raise BadInput("; ".join(reader.problems))
    return settings


def for_child(**changes: str) -> dict[str, str]:
    """The environment of a child process: ours, with these changes."""
    return {**os.environ, **changes}


def _data() -> Path:
    """The platform's data directory; the engines of root run as another user."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return Path("/var/lib/skvoz")
    return platformdirs.user_data_path("skvoz")


class _Reader:
    """Reads one variable after another and collects what is wrong with them."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = environment
        self.problems: list[str] = []

    def text(self, name: str, default: str = "") -> str:
        path = self.environment.get(f"{name}_FILE")
        if path and not self.environment.get(name):
            try:
                return Path(path).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                self.problems.append(f"{name}_FILE: cannot be read ({error})")
                return default
        return self.environment.get(name, "").strip() or default

    def integer(self, name: str, default: int, *, low: int, high: int) -> int:
        text = self.text(name, str(default))
        if text.isascii() and text.isdigit() and low <= int(text) <= high:
            return int(text)
        self.problems.append(f"{name}: must be a whole number from {low} to {high}")
        return default

    def port(self, name: str, default: int) -> int:
        return self.integer(name, default, low=1, high=65535)

    def flag(self, name: str, default: bool) -> bool:
        text = self.choice(
            name, "yes" if default else "no", ("yes", "no", "1", "0", "true", "false")
        )
        return text in ("yes", "1", "true")

    def choice(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        text = self.text(name, default)
        for choice in allowed:
            if text.lower() == choice.lower():
                return choice
        self.problems.append(f"{name}: must be one of {', '.join(allowed)}")
        return default

    def url(self, name: str, default: str) -> str:
        text = self.text(name, default).rstrip("/")
        if not text.startswith(("http://", "https://")):
            self.problems.append(f"{name}: must begin with http:// or https://")
        return text

    def header(self, name: str, default: str) -> str:
        text = self.text(name, default)
        if not _HEADER.fullmatch(text):
            self.problems.append(f"{name}: must be a header's name like X-Region")
        return text

    def valkey(self, name: str) -> str:
        """The address of a Valkey, a single one or a cluster; empty: the embedded one."""
        text = self.text(name)
        try:
            if text:
                valkey_client.cluster(text)
        except BadInput as error:
            self.problems.append(f"{name}: {error}")
        return text

    def networks(self, name: str) -> tuple[Network, ...]:
        found = []
        for part in self.text(name).replace(",", " ").split():
            try:
                found.append(ip_network(part, strict=False))
            except ValueError:
                self.problems.append(f"{name}: {part} is not a network like 10.0.0.0/8")
        return tuple(found)
