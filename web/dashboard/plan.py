"""The plan page: how many numbers a pool needs, and what more or fewer of them would bring.

The worker makes plans, since one takes seconds and this process answers visitors; the page
asks for one and reads it, again and again until it is there.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from math import log

from aiohttp import web

from numberpool import pools
from numberpool.sizing import LEAST_GAIN, MORE, VISITS_A_NUMBER, Plan, Question
from tracker import plan_rows, plans
from tracker.errors import BadInput
from web.dashboard.view import View

# The chart, in units of its picture.
LEFT, TOP, WIDTH, HEIGHT, RIGHT, BOTTOM = 58, 26, 640, 240, 16, 44
NEAREST = 26.0  # between two figures below the chart
RESTS = (0, 600, 1800, 3600, 14_400, 86_400)  # seconds one can choose
LATES = ("always", "peak", "never")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the address asks for."""

    pool: pools.Pool | None  # None: the site has none
    question: Question
    values: dict[str, str]  # the query string, without what makes no sense
    refused: tuple[str, ...]  # what makes none


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A size in the chart."""

    x: float
    found: float  # how high
    own: float
    numbers: int
    named: bool  # whether its figure has room below the chart
    now: bool
    advised: bool


async def show(view: View) -> web.Response:
    """GET /{site}/numbers/plan"""
    asked = read(view)
    kept = None
    if asked.pool is not None:
        kept = await plan_rows.answer(
            view.db,
            view.here.id,
            asked.pool.id,
            asked.question,
            numbers=len(asked.pool.numbers),
            at=view.at,
        )
    plan = kept.plan if kept else None
    return view.render(
        "plan.html",
        tab="numbers",
        asked=asked,
        usual=asked.question == plan_rows.USUAL,
        kept=kept,
        plan=plan,
        since=moment(plan.since) if plan else None,
        until=moment(plan.until - 1) if plan else None,
        marks=draw(plan) if plan and plan.sizes else [],
        frame=(LEFT, TOP, WIDTH, HEIGHT, RIGHT, BOTTOM),
        rests=RESTS,
        lates=LATES,
        more=MORE,
        least_gain=LEAST_GAIN,
        rule=VISITS_A_NUMBER,
        factor=plans.MOST_FACTOR,
    )


def read(view: View) -> Asked:
    """The pool and the question; what makes no sense is left out, and named."""
    told = {name: text.strip() for name, text in view.query.items()}
    by_name = {pool.name: pool for pool in view.here.pools}
    first = view.here.pools[0] if view.here.pools else None
    pool = by_name.get(told.get("pool", ""), first)
    values = {"pool": pool.name} if pool and len(by_name) > 1 else {}
    refused = []
    question = Question()
    for names in (("traffic",), ("source", "times"), ("rest",), ("share",), ("late",), ("goal",)):  # fmt: skip
        part = {name: told[name] for name in names if told.get(name)}
        if not part.get(names[0]):
            continue
        try:
            question = question_of({**values, **part})
        except BadInput:
            refused.append(names[0])
        else:
            values |= part
    question = question_of(values)
    return Asked(pool=pool, question=question, values=values, refused=tuple(refused))


def question_of(told: dict[str, str]) -> Question:
    """The question of a form's fields; raises BadInput. The goal is in percent."""
    fields: dict[str, object] = {}
    if "traffic" in told:
        fields["traffic"] = _number(told["traffic"], "traffic")
    if "source" in told:
        fields["sources"] = {
            told["source"].lower(): _number(told.get("times", "2"), "source")
        }
    if "rest" in told:
        fields["rest"] = _number(told["rest"], "rest")
    if "share" in told:
        if told["share"] not in ("on", "off"):
            raise BadInput("must be on or off", field="share")
        fields["share"] = told["share"] == "on"
    if "late" in told:
        if told["late"] not in LATES:
            raise BadInput(f"must be one of {', '.join(LATES)}", field="late")
        fields["late"] = told["late"]
    if "goal" in told:
        fields["goal"] = _number(told["goal"], "goal") / 100
    return plans.check(Question(**fields))  # type: ignore[arg-type]


def _number(text: str, field: str) -> float:
    try:
        return float(text.replace(",", "."))
    except ValueError:
        raise BadInput("must be a number", field=field) from None


def moment(unix: float) -> datetime:
    """Unix seconds as a moment."""
    return datetime.fromtimestamp(unix, UTC)


def draw(plan: Plan) -> list[Mark]:
    """Where each size stands: doubling a pool is always the same step across."""
    low = log(plan.sizes[0].numbers)
    span = log(plan.sizes[-1].numbers) - low or 1.0
    across = WIDTH - LEFT - RIGHT
    spots = [
        round(LEFT + across * (log(one.numbers) - low) / span, 1) for one in plan.sizes
    ]
    advised = plan.advice.numbers if plan.advice else 0
    return [
        Mark(
            x=x,
            found=height(one.found),
            own=height(one.own),
            numbers=one.numbers,
            named=named,
            now=one.numbers == plan.current,
            advised=one.numbers == advised,
        )
        for x, one, named in zip(spots, plan.sizes, _named(spots, plan), strict=True)
    ]


def _named(spots: list[float], plan: Plan) -> list[bool]:
    """Which sizes have room for their figure: today's and the advised one go first."""
    advised = plan.advice.numbers if plan.advice else 0
    order = sorted(
        range(len(spots)),
        key=lambda n: (plan.sizes[n].numbers not in (plan.current, advised), n),
    )
    taken: list[float] = []
    named = [False] * len(spots)
    for n in order:
        if all(abs(spots[n] - x) >= NEAREST for x in taken):
            taken.append(spots[n])
            named[n] = True
    return named


def height(share: float) -> float:
    """How high a share stands."""
    return round(TOP + (HEIGHT - TOP) * (1 - share), 1)
