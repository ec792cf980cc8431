"""Log lines: a short constant phrase, ids in `extra`, never a phone, address or letter."""

import json
import logging
import sys
from typing import Any

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime"}


class _Line(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        extra: dict[str, Any] = {
            key: value for key, value in record.__dict__.items() if key not in _STANDARD
        }
        if not extra:
            return line
        head, _, rest = line.partition("\n")
        ids = " ".join(f"{key}={_plain(value)}" for key, value in extra.items())
        return f"{head} {ids}" + (f"\n{rest}" if rest else "")


def _plain(value: object) -> str:
    text = str(value)
    return text if text.isprintable() and " " not in text else json.dumps(text)


def set_up(level: str = "INFO") -> None:
    """Send every logger's lines to standard error, the noisy libraries' only warnings."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Line("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in (
        "aiohttp.access",
        "aiohttp.server",
        "mail.log",
        "asyncio",
        "mail.debug",
    ):
        logging.getLogger(name).setLevel(logging.WARNING)
