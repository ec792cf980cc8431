"""Tells the administrator by mail what is stuck, at most once an hour.

When the oldest letter has waited 15 minutes, 4 hours, 24 hours, and when letters died. The
same is on the dashboard's Health page; with no administrator set up it is only there.
"""

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, make_msgid

from mailrelay import courier, hops
from mailrelay.forwarder import Relaying
from mailrelay.reception import AWAY
from tracker import db as database
from tracker import letters
from tracker.errors import BadInput

log = logging.getLogger(__name__)

AGES = (timedelta(minutes=15), timedelta(hours=4), timedelta(hours=24))
PAUSE = timedelta(hours=1)
LOOK = 60.0  # seconds
SHOWN = 20  # letters named in one mail


class Watch:
    """Looks at the queue every minute."""

    def __init__(
        self, pool: database.Pool, relaying: Relaying, *, at: datetime
    ) -> None:
        self._pool = pool
        self._relaying = relaying
        self._level = 0  # of AGES that were told about
        self._dead_until = at  # deaths up to here are known
        self._told_at = at - PAUSE

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            await asyncio.sleep(LOOK)
            try:
                await self.look(at=datetime.now(UTC))
            except AWAY:
                log.warning("queue not watched: PostgreSQL is away")

    async def look(self, *, at: datetime) -> bool:
        """Send a mail when there is news; returns whether one was taken."""
        backlog = await letters.backlog(self._pool)
        level = _level(backlog.oldest_at, at)
        died = backlog.died_at is not None and backlog.died_at > self._dead_until
        if not died and level <= self._level:
            self._level = level
            return False
        if at - self._told_at < PAUSE:
            return False
        stuck = await letters.stuck(self._pool, at=at, most=SHOWN)
        if not await self._tell(backlog, stuck, at):
            return False
        self._level, self._told_at = level, at
        self._dead_until = backlog.died_at or at
        return True

    async def _tell(
        self, backlog: letters.Backlog, stuck: list[letters.Stuck], at: datetime
    ) -> bool:
        administrator = self._relaying.administrator
        log.warning("mail is stuck", extra={"owed": backlog.owed, "dead": backlog.dead})
        if not (administrator.address and administrator.next_hop):
            return False
        try:
            hop = hops.parse(administrator.next_hop)
        except BadInput:
            log.warning("administrator's next hop is not understood")
            return False
        parcel = courier.Parcel(
            mail_from="",
            recipient=administrator.address,
            message=_mail(self._relaying, backlog, stuck, at),
        )
        outcome = await courier.carry(parcel, hop, host=self._relaying.host)
        if not outcome.taken:
            log.warning("alert not taken", extra={"stage": outcome.stage})
        return outcome.taken


def _level(oldest_at: datetime | None, at: datetime) -> int:
    if oldest_at is None:
        return 0
    return sum(at - oldest_at >= age for age in AGES)


def _mail(
    relaying: Relaying,
    backlog: letters.Backlog,
    stuck: list[letters.Stuck],
    at: datetime,
) -> bytes:
    """The alert; it names letters by id and reason, never by their people."""
    oldest = f"{backlog.oldest_at:%Y-%m-%d %H:%M} UTC" if backlog.oldest_at else "—"
    lines = [
        f"From: Skvoz <postmaster@{relaying.domain}>",
        f"To: <{relaying.administrator.address}>",
        "Subject: Skvoz: mail is stuck",
        f"Date: {format_datetime(at)}",
        f"Message-ID: {make_msgid(domain=relaying.host)}",
        "Auto-Submitted: auto-generated",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
        "",
        "Some letters are not getting through to their mailboxes.",
        "Часть писем не доходит до почтовых ящиков.",
        "",
        f"Waiting / ждут: {backlog.owed}; oldest / старейшее: {oldest}",
        f"Given up / не доставлены: {backlog.dead}",
        "",
        *(_line(one) for one in stuck),
        "",
        "Details and the retry button: the Health page of the dashboard.",
        "Подробности и кнопка повтора: страница «Состояние» в кабинете.",
    ]
    return "".join(f"{line}\r\n" for line in lines).encode()


def _line(one: letters.Stuck) -> str:
    reason = " ".join((one.last_error or "not tried yet").split())[:300]
    return f"{one.created_at:%Y-%m-%d %H:%M}  {one.state}  {one.id}  {reason}"
