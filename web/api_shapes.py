"""What the REST API takes and gives, as records: read by msgspec, shown by OpenAPI.

Fields may be added; none may change its meaning.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

Instant = Annotated[datetime, Meta(tz=True, description="RFC 3339 with its offset")]
Text = Annotated[str, Meta(max_length=255)]
Money = Annotated[str, Meta(description="a decimal number", examples=["350.20"])]

Told = Annotated[
    Decimal, Meta(description="a decimal number; a JSON number is taken by its digits")
]

MOST_DEALS = 500  # in one request
MOST_COSTS = 5000


# Contacts -------------------------------------------------------------------------------


class Source(Struct, kw_only=True):
    """Where somebody came from."""

    channel: str
    source: str
    medium: str
    campaign: str
    term: str
    content: str


class Candidate(Struct, kw_only=True):
    """A session that may have made the contact."""

    session: str | None
    weight: Annotated[float, Meta(ge=0, le=1)]


class Call(Struct, kw_only=True):
    """What is special about a call."""

    answered: bool
    talk_seconds: int | None
    ring_seconds: int | None
    missed: bool
    outcome: str | None
    recording: str | None
    manager: str | None
    ended: bool


class Mail(Struct, kw_only=True, rename={"from_": "from"}):
    """What is special about a letter."""

    from_: str
    from_name: str
    subject: str


class Delivery(Struct, kw_only=True):
    """How far the contact got to a destination."""

    destination: str
    kind: str
    state: Literal["owed", "delivered", "dead"]
    attempts: int
    last_error: str | None


class Contact(Struct, kw_only=True, rename={"from_": "from"}):
    """One inbound call, letter, form, chat or message."""

    id: str
    channel: Annotated[str, Meta(description="phone, email, form, chat, telegram, …")]
    kind: Literal["call", "email", "form", "message"]
    at: Instant
    caller: Annotated[str | None, Meta(description="E.164; null when withheld")]
    from_: str | None
    number: Annotated[str | None, Meta(description="the tracking number, E.164")]
    alias: Annotated[str | None, Meta(description="the address that was written to")]
    name: str
    email: str | None
    text: str
    fields: dict[str, Any]
    person: str
    lead: str | None
    source: Source | None
    certainty: Annotated[float, Meta(description="the weight of the best candidate")]
    candidates: list[Candidate]
    rule: Annotated[str, Meta(description="name and version of the rule that answered")]
    model: Annotated[
        str | None,
        Meta(description="what a call was weighed with: day-one, learned-1, …"),
    ]
    provisional: Annotated[
        bool, Meta(description="fewer than 50 callers were learned from by then")
    ]
    excluded: Literal["spam", "test", "staff"] | None
    call: Call | None
    mail: Mail | None
    deliveries: list[Delivery]
    updated: Instant


class Contacts(Struct, kw_only=True):
    """A page of contacts; `next` is null while there are no more."""

    items: list[Contact]
    next: str | None


# Deals ----------------------------------------------------------------------------------


class Deal(Struct, kw_only=True):
    """The CRM's record of a possible or finished sale."""

    id: Annotated[str, Meta(description="the CRM's own id")]
    crm: Annotated[str, Meta(description="the connection's name, or `api`")]
    person: str | None
    lead: str | None
    title: str
    stage: str
    state: Literal["open", "won", "lost"]
    amount: Money
    currency: str
    manager: str
    opened: Instant
    closed: Instant | None


class Deals(Struct, kw_only=True):
    """A page of deals; `next` is null while there are no more."""

    items: list[Deal]
    next: str | None


class DealTold(Struct, kw_only=True):
    """A deal as a CRM tells it; what is left out stays as it is known."""

    id: Annotated[
        str, Meta(min_length=1, max_length=100, description="the CRM's own id")
    ]
    state: Literal["open", "won", "lost"]
    site: Text | None = None
    lead: Annotated[str, Meta(max_length=36, description="our lead's id")] | None = None
    phone: Annotated[str, Meta(max_length=64)] | None = None
    email: Annotated[str, Meta(max_length=254)] | None = None
    name: Annotated[Text | None, Meta(description="the person's")] = None
    title: Text | None = None
    stage: Annotated[Text | None, Meta(description="the CRM's own word")] = None
    amount: Told | None = None
    currency: (
        Annotated[str, Meta(pattern="^[A-Z]{3}$", description="ISO 4217")] | None
    ) = None
    manager: Text | None = None
    opened: Instant | None = None
    closed: Instant | None = None
    updated: Annotated[
        Instant | None, Meta(description="older news than ours is ignored")
    ] = None


class DealKept(Struct, kw_only=True):
    """What became of a deal."""

    id: Annotated[str, Meta(description="the CRM's own id")]
    created: bool
    changed: bool


class DealsKept(Struct, kw_only=True):
    """What became of each deal, in the order they were told."""

    items: list[DealKept]


# Costs ----------------------------------------------------------------------------------


class CostRow(Struct, kw_only=True):
    """What one source cost on one day; labels are those of the site's links."""

    date: date
    source: Annotated[Text, Meta(min_length=1)]
    medium: Annotated[Text, Meta(min_length=1)]
    cost: Told
    campaign: Text = ""
    campaign_id: Text = ""
    content: Text = ""
    term: Text = ""
    currency: Annotated[str, Meta(pattern="^([A-Z]{3})?$")] = ""
    clicks: Annotated[int, Meta(ge=0, le=10**12)] = 0
    impressions: Annotated[int, Meta(ge=0, le=10**12)] = 0


class CostsTold(Struct, kw_only=True):
    """Costs; they replace what the same origin told of the same days before."""

    rows: Annotated[list[CostRow], Meta(min_length=1, max_length=MOST_COSTS)]
    site: Text | None = None
    origin: Annotated[str, Meta(max_length=100)] = "api"


class CostsKept(Struct, kw_only=True):
    """What was written."""

    rows: Annotated[int, Meta(description="days times sources")]
    days: int
    since: date | None
    until: date | None
    amount: Money
    currency: str


# Reports --------------------------------------------------------------------------------


class Figures(Struct, kw_only=True):
    """What was measured, and what follows from it; null where the divisor is 0."""

    visits: int
    calls: float
    missed: float
    emails: float
    forms: float
    messages: float
    contacts: float
    leads: float
    deals: float
    revenue: Money
    cost: Money
    cpl: Money | None
    cpo: Money | None
    cr: float | None
    cr_deal: float | None
    romi: float | None
    roas: float | None


class ReportRow(Struct, kw_only=True):
    """A channel, source or campaign in the period and in the one before."""

    channel: str
    source: str
    campaign: str
    now: Figures
    before: Figures


class ChannelReport(Struct, kw_only=True):
    """Channels, sources or campaigns side by side; days are the site's, both included."""

    level: Literal["channel", "source", "campaign"]
    since: date
    until: date
    before_since: date
    before_until: date
    currency: str
    rows: list[ReportRow]
    rest: ReportRow | None
    total: ReportRow
    foreign: Annotated[
        dict[str, Money],
        Meta(description="won deals in other currencies, left out of the revenue"),
    ]
    formulas: dict[str, str]


class CalibrationBin(Struct, kw_only=True):
    """Checked calls of about the same certainty; bins without calls are left out."""

    low: Annotated[float, Meta(description="included")]
    high: Annotated[float, Meta(description="included in the last bin only")]
    calls: int
    right: int
    none: Annotated[
        int, Meta(description="answered with `none of them`: wrong, but not judged")
    ]
    mean_weight: float
    share_right: float
    interval_low: Annotated[float, Meta(description="Wilson's 95 % interval")]
    interval_high: float
    enough: Annotated[bool, Meta(description="calls enough to be judged")]
    off: Annotated[
        Literal[-1, 0, 1],
        Meta(description="1: too sure; -1: surer than it says; 0: fits, or too few"),
    ]


class PoolLoad(Struct, kw_only=True):
    """How busy a pool was in the last seven days."""

    name: str
    visits_per_number: Annotated[float, Meta(description="a day")]
    too_small: Annotated[
        bool, Meta(description="over 200: certainty cannot be trusted")
    ]


class TruthKinds(Struct, kw_only=True):
    """How many truths became known in which way."""

    test: Annotated[int, Meta(description="planned test calls")]
    click: Annotated[int, Meta(description="taps on a number nobody else had")]
    form: Annotated[int, Meta(description="forms with the caller's phone")]


class Calibration(Struct, kw_only=True):
    """Certainty against known truths; a check, never the site's accuracy."""

    pool: Annotated[str | None, Meta(description="null: all pools")]
    since: date
    until: date
    calls: Annotated[int, Meta(description="calls weighed, spam left out")]
    mean_certainty: Annotated[float | None, Meta(description="of all these")]
    checked: Annotated[int, Meta(description="those whose truth is known")]
    right: int
    mean_weight: Annotated[float | None, Meta(description="of the checked ones")]
    share_right: float | None
    ece: Annotated[float | None, Meta(description="expected calibration error")]
    bins: list[CalibrationBin]
    kinds: TruthKinds
    contradicted: Annotated[
        int, Meta(description="left out: what is known of them contradicts itself")
    ]
    pools: list[PoolLoad]


# Alerts ---------------------------------------------------------------------------------


class Alert(Struct, kw_only=True):
    """Something the owner should know, from when its cause was found until it is gone."""

    id: str
    kind: Annotated[
        str,
        Meta(
            description="`leak.called`: a number has more calls than its visitors explain; "
            "`leak.found`: a number stands in the site's own pages; `accuracy.low`: the calls "
            "of a pool are attributed too uncertainly"
        ),
    ]
    subject: Annotated[str, Meta(description="the number, or the pool's name")]
    text: Annotated[str, Meta(description="the same in an English sentence")]
    since: Instant
    last_seen: Instant
    dismissed: Instant | None
    ended: Annotated[datetime | None, Meta(description="null: its cause goes on")]
    figures: Annotated[
        dict[str, Any],
        Meta(
            description="`leak.called`: `pool`, `days`, `unexplained` (calls), `expected`, "
            "`calls` (`contact`, `at`); `leak.found`: `pages`, `count` (of pages), `own` (the pages' "
            "own numbers); `accuracy.low`: `day`, `accuracy`, `calls`, `threshold`"
        ),
    ]


class Alerts(Struct, kw_only=True):
    """The latest first."""

    items: list[Alert]


# Plans ----------------------------------------------------------------------------------

Share = Annotated[float, Meta(ge=0, le=1)]


class PlanSize(Struct, kw_only=True):
    """What a pool of so many numbers would do."""

    numbers: int
    own: Annotated[Share, Meta(description="of visits: shown an idle number")]
    shared: Annotated[Share, Meta(description="of visits: shown a shared number")]
    blocked: Annotated[Share, Meta(description="of visits: shown none")]
    erlang: Annotated[
        Share, Meta(description="find no idle number in the busiest hour, by Erlang B")
    ]
    found: Annotated[Share, Meta(description="of callers: their visit is ranked first")]
    right: Annotated[
        Share, Meta(description="of all calls: the likeliest answer is the truth")
    ]
    ece: Annotated[float, Meta(description="expected calibration error")]
    wrong_calls: Annotated[float, Meta(description="in 30 days")]
    loss: Annotated[
        Money | None,
        Meta(description="money whose source is told wrongly, in 30 days"),
    ]


class PlanAdvice(Struct, kw_only=True):
    """How many numbers to have, and why."""

    numbers: int
    reason: Annotated[
        Literal["goal", "goal_unreached", "knee", "unsettled"],
        Meta(
            description="`goal`: the fewest that reach it; `goal_unreached`: the most "
            "that were tried; `knee`: more would bring little; `unsettled`: even the most "
            "that were tried are too few for that"
        ),
    ]
    found: Share
    gain: Annotated[
        float, Meta(description="share of callers that ten more numbers would find")
    ]


class PlanMade(Struct, kw_only=True):
    """The site's own last weeks, rehearsed with pools of several sizes."""

    made: Instant
    since: Instant
    until: Instant
    current: Annotated[int, Meta(description="numbers the pool had then")]
    visits_a_day: float
    every: Annotated[int, Meta(description="only one visitor of so many was taken")]
    drawn_calls: int
    load: Annotated[float, Meta(description="erlangs in the busiest hour of a day")]
    calls: Annotated[int, Meta(description="real ones of these days")]
    sure: Annotated[
        Share | None, Meta(description="mean of the largest weight of the real calls")
    ]
    month_calls: Annotated[float, Meta(description="expected in 30 days")]
    worth: Annotated[Money | None, Meta(description="of a contact")]
    worth_by: Literal["revenue", "cost"] | None
    currency: str
    model: str
    provisional: bool
    sizes: Annotated[
        list[PlanSize], Meta(description="empty while there are no visits")
    ]
    advice: PlanAdvice | None


class Plan(Struct, kw_only=True):
    """A plan as far as it is made; ask again while it is being computed."""

    pool: str
    state: Literal["ready", "computing", "failed"]
    progress: Share
    trouble: str | None
    plan: Annotated[
        PlanMade | None,
        Meta(description="while computing, the one made before, if any"),
    ]


# Errors ---------------------------------------------------------------------------------


class Trouble(Struct, kw_only=True):
    """What is wrong, and where."""

    field: str
    message: str


class Refusal(Struct, kw_only=True):
    """The answer to a request that is refused."""

    error: Trouble
