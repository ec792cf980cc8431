"""A plan as the REST API is asked for it and tells it. Pure."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from multidict import MultiMapping

from numberpool.sizing import Advice, Plan, Question, Size
from tracker import plans
from tracker.errors import BadInput
from tracker.plan_rows import Kept
from web import api_shapes

DIGITS = 4  # of shares
LATES = ("always", "peak", "never")


def question(told: MultiMapping[str]) -> Question:
    """The question of a query; raises BadInput. `source` may be told several times."""
    fields: dict[str, Any] = {
        name: _number(told[name], name)
        for name in ("traffic", "rest", "goal")
        if told.get(name)
    }
    if told.get("days"):
        days = _number(told["days"], "days")
        if days != int(days):
            raise BadInput("must be a whole number", field="days")
        fields["days"] = int(days)
    if told.get("share"):
        fields["share"] = _among(told["share"], ("on", "off"), "share") == "on"
    if told.get("late"):
        fields["late"] = _among(told["late"], LATES, "late")
    if sources := [text for text in told.getall("source", []) if text]:
        fields["sources"] = dict(map(plans.source, sources))
    return plans.check(Question(**fields))


def _number(text: str, field: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise BadInput("must be a number", field=field) from None
    if value != value or abs(value) == float("inf"):
        raise BadInput("must be a number", field=field)
    return value


def _among(text: str, words: tuple[str, ...], field: str) -> str:
    if text not in words:
        raise BadInput(f"must be one of {', '.join(words)}", field=field)
    return text


def record(pool: str, kept: Kept) -> api_shapes.Plan:
    """What is known of the answer."""
    state = "computing" if kept.waiting else "failed" if kept.trouble else "ready"
    made = kept.made_at
    return api_shapes.Plan(
        pool=pool,
        state=state,  # type: ignore[arg-type]
        progress=round(min(kept.progress, 1.0), DIGITS),
        trouble=kept.trouble,
        plan=_made(kept.plan, made) if kept.plan and made else None,
    )


def _made(plan: Plan, made: datetime) -> api_shapes.PlanMade:
    return api_shapes.PlanMade(
        made=made,
        since=_moment(plan.since),
        until=_moment(plan.until),
        current=plan.current,
        visits_a_day=round(plan.visits_a_day, 1),
        every=plan.every,
        drawn_calls=plan.drawn_calls,
        load=round(plan.load, DIGITS),
        calls=plan.calls,
        sure=None if plan.sure is None else _share(plan.sure),
        month_calls=round(plan.month_calls, 1),
        worth=_money(plan.worth),
        worth_by=plan.worth_by,
        currency=plan.currency,
        model=plan.model,
        provisional=plan.provisional,
        sizes=[_size(one) for one in plan.sizes],
        advice=_advice(plan.advice) if plan.advice else None,
    )


def _size(one: Size) -> api_shapes.PlanSize:
    return api_shapes.PlanSize(
        numbers=one.numbers,
        own=_share(one.own),
        shared=_share(one.shared),
        blocked=_share(one.blocked),
        erlang=_share(one.erlang),
        found=_share(one.found),
        right=_share(one.right),
        ece=round(one.error, DIGITS),
        wrong_calls=round(one.wrong_calls, 1),
        loss=_money(one.loss),
    )


def _advice(one: Advice) -> api_shapes.PlanAdvice:
    return api_shapes.PlanAdvice(
        numbers=one.numbers,
        reason=one.reason,
        found=_share(one.found),
        gain=round(one.gain, DIGITS),
    )


def _share(value: float) -> float:
    return round(min(max(value, 0.0), 1.0), DIGITS)


def _money(value: Decimal | None) -> str | None:
    return None if value is None else str(value.quantize(Decimal("0.01")))


def _moment(unix: float) -> datetime:
    return datetime.fromtimestamp(unix, UTC)
