"""Yandex Metrika: offline conversions and calls, uploaded as CSV every few minutes.

A row is matched by the visitor's ClientID, else by the yclid of his click; one identifier
and one currency a file. Metrika cannot tell a repeated row from a new one, so each upload
carries the id of its batch as the comment: when it is not known whether an upload arrived,
the list of uploads is asked before anything is sent again.
https://yandex.ru/dev/metrika/en/management/openapi/offline_conversion
"""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar
from uuid import UUID

import aiohttp
import msgspec

from tracker.destinations.base import (
    A_DAY,
    Address,
    Candidate,
    Label,
    NotSent,
    NotYet,
    Packed,
    Parcel,
    Schedule,
    Share,
    Token,
    Unanswered,
    Upload,
    heaviest,
)
from tracker.destinations.wire import Answer, Wire, refused
from tracker.errors import DeliveryFailed

EVENTS = frozenset({"contact.created", "lead.created", "deal.won"})
OLDEST = timedelta(days=21)  # from the visitor's last visit to the upload
CALL_WAIT = timedelta(hours=2)  # a call that has not ended by then is told as it is
CLOCKS = timedelta(hours=1)  # a moment so little ahead is only another clock's
UNCERTAIN_WAIT = timedelta(minutes=1)  # before asking whether an upload arrived
UPLOAD_TIMEOUT = 120.0  # seconds
PAGE = 10_000  # uploads a page of the list, the most the API gives
PAGES = 20  # looked through for a batch
MOST_LIST = 16 * 1024 * 1024  # bytes of a page
CLIENT_ID = re.compile(r"\d{10,20}", re.ASCII)
YCLID = re.compile(r"\d{1,25}", re.ASCII)

CALLS, CONVERSIONS = "calls", "conversions"
PATHS = {
    CALLS: ("upload_calls", "calls_uploadings"),
    CONVERSIONS: ("upload", "uploadings"),
}
BROKEN = frozenset({"unauthorized", "invalid_token", "access_denied"})
DAILY = frozenset({"quota_requests_by_uid", "quota_requests_by_counter_id"})
Goal = Annotated[str, msgspec.Meta(pattern=r"^[^\s,]*$", max_length=64)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrika:
    """A counter, and the goals that our events reach; an empty goal is not sent."""

    kind: ClassVar[str] = "metrika"
    events: ClassVar[frozenset[str]] = EVENTS
    schedule: ClassVar[Schedule] = A_DAY
    ordered: ClassVar[bool] = False
    at_once: ClassVar[int] = 1
    most: ClassVar[int] = 1000

    counter: Annotated[str, msgspec.Meta(pattern=r"^\d{1,15}$")]
    token: Token
    calls: bool = True  # calls go to Metrika's own call reports
    call_goal: Label = "Calls"  # named so when the counter has no call goal yet
    email_goal: Goal = "email"
    form_goal: Goal = "form"
    message_goal: Goal = "message"
    lead_goal: Goal = "lead"
    won_goal: Goal = "deal_won"
    min_certainty: Share = 0.8
    interval_seconds: Annotated[int, msgspec.Meta(ge=10, le=86_400)] = 180
    api: Address = "https://api-metrika.yandex.net"

    def check(self) -> None:
        """Nothing that types do not see."""

    def secrets(self) -> tuple[str, ...]:
        return (self.token,)

    def wants(self, event: str) -> bool:
        if event == "lead.created":
            return bool(self.lead_goal)
        if event == "deal.won":
            return bool(self.won_goal)
        return event in EVENTS

    def first_due(self, at: datetime) -> datetime:
        """The end of the interval, the same for all that happens within it."""
        seconds = int(at.timestamp()) // self.interval_seconds + 1
        return datetime.fromtimestamp(seconds * self.interval_seconds, UTC)

    # Sorting ---------------------------------------------------------------------------

    def pack(self, parcels: Sequence[Parcel]) -> Packed:
        uploads: dict[tuple[str, tuple[str, ...], str], list[_Row]] = {}
        failures: dict[UUID, DeliveryFailed] = {}
        for parcel in parcels:
            try:
                row = self._row(parcel)
            except DeliveryFailed as failure:
                failures[parcel.id] = failure
                continue
            uploads.setdefault((row.type, row.header, row.currency), []).append(row)
        return Packed(
            uploads=tuple(
                Upload(
                    type=type_,
                    header=header,
                    rows=tuple((row.parcel_id, row.values) for row in rows),
                )
                for (type_, header, _), rows in uploads.items()
            ),
            refused=failures,
        )

    def _row(self, parcel: Parcel) -> "_Row":
        """The parcel's line; raises NotSent or NotYet."""
        if parcel.excluded:
            raise NotSent(f"the contact is left out as {parcel.excluded}")
        is_call = parcel.event == "contact.created" and parcel.kind == "call"
        goal = "" if is_call else self._goal(parcel)
        if is_call and self.calls:
            self._wait_for_the_end(parcel)
        elif not goal:
            raise NotSent("no goal is set for it")
        at = _moment(parcel)
        column, identifier = self._identifier(parcel)
        told = {column: identifier}
        told |= _call(parcel, at) if is_call else _conversion(parcel, at, goal)
        return _Row(
            parcel_id=parcel.id,
            type=CALLS if is_call else CONVERSIONS,
            header=tuple(told),
            values=tuple(told.values()),
            currency=told.get("Currency", ""),
        )

    def _goal(self, parcel: Parcel) -> str:
        if parcel.event == "lead.created":
            return self.lead_goal
        if parcel.event == "deal.won":
            return self.won_goal
        goals = {"email": self.email_goal, "form": self.form_goal}
        return (
            "" if parcel.kind == "call" else goals.get(parcel.kind, self.message_goal)
        )

    def _wait_for_the_end(self, parcel: Parcel) -> None:
        """How long was talked is known only when the call is over."""
        call = parcel.call
        over = call is None or call.ended_at is not None
        if not over and parcel.now - parcel.at < CALL_WAIT:
            wait = self.first_due(parcel.now) - parcel.now
            raise NotYet("the call is not over", after=wait)

    def _identifier(self, parcel: Parcel) -> tuple[str, str]:
        """The column and value that name the visitor; raises NotSent."""
        best = heaviest(
            [one for one in parcel.candidates if one.visitor_id is not None],
            lambda one: one.visitor_id,
        )
        if best is None:
            raise NotSent("no visit is known for it")
        candidate, weight = best
        if weight < self.min_certainty:
            raise NotSent(
                f"certainty {weight:.2f} is below the setting's {self.min_certainty:.2f}"
            )
        found = _known_ids(parcel.candidates, candidate)
        if not found:
            raise NotSent("the visit has neither a Metrika ClientID nor a yclid")
        seen = candidate.last_visit_at or candidate.started_at
        if seen is not None and parcel.now - seen > OLDEST:
            raise NotSent("the visitor's last visit is more than 21 days ago")
        return found

    # Sending ---------------------------------------------------------------------------

    async def upload(self, upload: Upload, batch: UUID, wire: Wire) -> str:
        form = aiohttp.FormData()
        form.add_field(
            "file", _csv(upload).encode(), filename="data.csv", content_type="text/csv"
        )
        params = {"comment": comment(batch)}
        if upload.type == CALLS:
            params["new_goal_name"] = self.call_goal or "Calls"
        else:
            params["type"] = "BASIC"
        answer = await wire.call(
            "POST",
            f"{self._base}/{PATHS[upload.type][0]}",
            body=form,
            headers=self._headers,
            params=params,
            longest=UPLOAD_TIMEOUT,
        )
        told = answer.json()
        uploading = told.get("uploading") if isinstance(told, dict) else None
        if answer.status != 200 or not isinstance(uploading, dict):
            raise failure(answer)
        if uploading.get("line_quantity") == 0:
            raise DeliveryFailed("Metrika took none of the lines", permanent=True)
        return str(uploading.get("id", ""))

    async def uploaded(self, batches: Sequence[UUID], wire: Wire) -> dict[UUID, str]:
        wanted = {comment(batch): batch for batch in batches}
        found: dict[UUID, str] = {}
        for _, listing in PATHS.values():
            for page in range(PAGES):
                rows = await self._list(listing, page, wire)
                for one in rows:
                    batch = wanted.get(str(one.get("comment", "")))
                    if batch is not None:
                        found[batch] = str(one.get("id", ""))
                if len(rows) < PAGE or len(found) == len(wanted):
                    break
        return found

    async def _list(self, listing: str, page: int, wire: Wire) -> list[dict[str, Any]]:
        answer = await wire.call(
            "GET",
            f"{self._base}/{listing}",
            headers=self._headers,
            params={"limit": str(PAGE), "offset": str(page * PAGE)},
            longest=UPLOAD_TIMEOUT,
            most=MOST_LIST,
        )
        told = answer.json()
        if answer.status != 200 or not isinstance(told, dict):
            raise failure(answer)
        rows = told.get("uploadings")
        return [row for row in rows or [] if isinstance(row, dict)]

    @property
    def _base(self) -> str:
        api = self.api.rstrip("/")
        return f"{api}/management/v1/counter/{self.counter}/offline_conversions"

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"OAuth {self.token}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    parcel_id: UUID
    type: str
    header: tuple[str, ...]
    values: tuple[str, ...]
    currency: str  # lines of two currencies in one file would lose their prices


def comment(batch: UUID) -> str:
    """How an upload is known again."""
    return f"skvoz {batch}"


def failure(answer: Answer) -> DeliveryFailed:
    """What an answer that is no success means for the whole upload."""
    told = answer.json()
    errors = told.get("errors") if isinstance(told, dict) else None
    first = errors[0] if isinstance(errors, list) and errors else {}
    type_ = str(first.get("error_type", "")) if isinstance(first, dict) else ""
    words = str(first.get("message", "")) if isinstance(first, dict) else ""
    text = " ".join(f"HTTP {answer.status} {type_}: {words}".split())[:300]
    if type_ in BROKEN:
        return DeliveryFailed(text, broken=True)
    if type_ in DAILY:
        return DeliveryFailed(text, after=answer.after or _until_midnight(answer))
    if answer.status == 429:
        return DeliveryFailed(text, after=answer.after or timedelta(seconds=5))
    if answer.status >= 500 or answer.status < 300:
        return Unanswered(text, after=answer.after or UNCERTAIN_WAIT)
    return refused(answer, what=f"{type_}: {words}".strip(": "))


def _until_midnight(answer: Answer) -> timedelta:
    """The daily quota begins anew at 00:00 GMT; by the answer's own clock."""
    text = answer.headers.get("Date", "")
    try:
        now = datetime.strptime(text, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)
    except ValueError:
        return timedelta(hours=6)
    midnight = now.replace(hour=0, minute=0, second=0) + timedelta(days=1)
    return midnight - now + timedelta(minutes=1)


def _moment(parcel: Parcel) -> datetime:
    """When it happened; raises NotYet or NotSent for a moment ahead of now."""
    at = parcel.at
    if parcel.event == "deal.won" and parcel.deal is not None and parcel.deal.closed_at:
        at = parcel.deal.closed_at
    ahead = at - parcel.now
    if ahead > CLOCKS:
        raise NotSent("it lies in the future")
    if ahead > timedelta():
        raise NotYet("its moment has not come", after=ahead + timedelta(seconds=1))
    return at


def _known_ids(
    candidates: Sequence[Candidate], chosen: Candidate
) -> tuple[str, str] | None:
    """The visitor's ClientID from any of his sessions, else a yclid."""
    own = [one.ids for one in candidates if one.visitor_id == chosen.visitor_id]
    for column, name, shape in (
        ("ClientId", "ym_client_id", CLIENT_ID),
        ("Yclid", "yclid", YCLID),
    ):
        for ids in own:
            if shape.fullmatch(ids.get(name, "")):
                return column, ids[name]
    return None


def _call(parcel: Parcel, at: datetime) -> dict[str, str]:
    call = parcel.call
    answered = call is not None and call.answered
    best = parcel.candidates[0]
    return {
        "DateTime": _seconds(at),
        "StaticCall": "0",
        "PhoneNumber": str(parcel.data.get("caller") or ""),
        "TalkDuration": str((call and answered and call.talk_seconds) or 0),
        "HoldDuration": str((call and call.ring_seconds) or 0),
        "CallMissed": "0" if answered else "1",
        "FirstTimeCaller": "1" if parcel.first_time else "0",
        "URL": best.landing_url,
    }


def _conversion(parcel: Parcel, at: datetime, goal: str) -> dict[str, str]:
    told = {"Target": goal, "DateTime": _seconds(at)}
    if parcel.event == "deal.won" and parcel.deal is not None:
        told |= {"Price": parcel.deal.amount, "Currency": parcel.deal.currency}
    return told


def _seconds(at: datetime) -> str:
    return str(int(at.timestamp()))


def _csv(upload: Upload) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(upload.header)
    writer.writerows(values for _, values in upload.rows)
    return text.getvalue()
