"""Words for codes: what the dashboard calls channels, kinds, states and metrics.

`N_` marks a text for translation; templates translate it when they show it.
"""

from typing import NamedTuple


def N_(text: str) -> str:
    """The text itself; extraction finds it by this call."""
    return text


CHANNELS = {
    "paid_search": N_("Paid search"),
    "paid_social": N_("Paid social"),
    "paid_video": N_("Paid video"),
    "paid_other": N_("Other paid"),
    "display": N_("Display"),
    "affiliate": N_("Affiliate"),
    "organic_search": N_("Organic search"),
    "organic_social": N_("Organic social"),
    "organic_video": N_("Organic video"),
    "ai_assistant": N_("AI assistant"),
    "messenger": N_("Messenger"),
    "recommend": N_("Recommendations"),
    "maps": N_("Maps"),
    "email": N_("Email"),
    "sms": N_("SMS"),
    "push": N_("Push"),
    "audio": N_("Audio"),
    "qr": N_("QR code"),
    "referral": N_("Referral"),
    "offline": N_("Offline"),
    "direct": N_("Direct"),
    "internal": N_("Internal"),
    "unassigned": N_("Unassigned"),
    "unknown": N_("Unknown"),
}

KINDS = {
    "call": N_("Calls"),
    "email": N_("Letters"),
    "form": N_("Forms"),
    "message": N_("Messages"),
}
KIND = {
    "call": N_("Call"),
    "email": N_("Letter"),
    "form": N_("Form"),
    "message": N_("Message"),
}
# Where the channel says more than the kind.
CONTACT_CHANNELS = {
    "callback": N_("Callback request"),
    "telegram": "Telegram",
    "whatsapp": "WhatsApp",
    "viber": "Viber",
    "vk": "VK",
    "max": "MAX",
}
FIELDS = {"call_at": N_("Call back at")}  # of our own forms


def contact(channel: str, kind: str) -> str:
    """What a contact is called."""
    return CONTACT_CHANNELS.get(channel) or KIND.get(kind, kind)


LAST = {
    "call": N_("Last call"),
    "email": N_("Last letter"),
    "form": N_("Last form"),
    "message": N_("Last message"),
}

OUTCOMES = {
    "answered": N_("answered"),
    "missed": N_("missed"),
    "busy": N_("busy"),
    "rejected": N_("rejected"),
    "cancelled": N_("caller hung up"),
    "failed": N_("failed"),
    "voicemail": N_("voicemail"),
}

EXCLUDED = {"spam": N_("spam"), "test": N_("test"), "staff": N_("own staff")}
STATES = {
    "owed": N_("waiting"),
    "delivered": N_("delivered"),
    "dead": N_("failed"),
    "sent": N_("sent"),
}
LEADS = {"open": N_("open"), "won": N_("won"), "lost": N_("lost")}
DEVICES = {
    "mobile": N_("phone"),
    "desktop": N_("computer"),
    "tablet": N_("tablet"),
}
EVENTS = {
    "reveal": N_("saw the number"),
    "tel_click": N_("tapped the number"),
    "mail_click": N_("clicked the address"),
    "messenger_click": N_("opened a messenger"),
    "goal": N_("reached a goal"),
}
DOORS = {
    "telephony": N_("Telephony"),
    "mail": N_("Mail"),
    "form": N_("Forms"),
    "crm": N_("CRM"),
}

PERIODS = {
    "today": N_("Today"),
    "yesterday": N_("Yesterday"),
    "7d": N_("7 days"),
    "30d": N_("30 days"),
    "month": N_("This month"),
    "last_month": N_("Last month"),
    "90d": N_("90 days"),
    "all": N_("All time"),
    "custom": N_("Chosen dates"),
}

LEVELS = {
    "channel": N_("Channel"),
    "source": N_("Source"),
    "campaign": N_("Campaign"),
}

BY_LEVEL = {
    "channel": N_("By channel"),
    "source": N_("By source"),
    "campaign": N_("By campaign"),
}
NOT_SET = N_("(not set)")
OTHERS = N_("Others")
TOTAL = N_("Total")

WHY = {
    "state": N_("the visit"),
    "seconds": N_("time since then"),
    "opening_seconds": N_("of it in opening hours"),
    "base": N_("usual at that point"),
    "source": N_("this source"),
    "engagement": N_("time on the page"),
    "opening": N_("this hour of the week"),
    "not_credited": N_("not yet credited with a call"),
    "no_other_phone": N_("no other phone called from it"),
    "redial": N_("calls again"),
    "own_visitor": N_("same visitor as before"),
    "new_cookie": N_("same person in a new browser"),
    "rate": N_("expected calls"),
    "shared": N_("number was shared"),
}
WHY_MEANS = {
    "base": N_("how often such a visit calls after such a time"),
    "redial": N_("this phone called that number before and may just call again"),
    "own_visitor": N_("a call of this phone was laid to the same visitor before"),
    "new_cookie": N_("somebody who called before may come with a new browser"),
    "rate": N_("all of the above together"),
    "shared": N_("no number was idle: another visitor held it at the same time"),
}
# What a factor above 1, of about 1 and below 1 says.
WHY_FACTOR = {
    "source": (N_("its visitors call more often than others"), N_("its visitors call as often as others"), N_("its visitors call less often than others")),
    "engagement": (N_("who stayed so long calls more often"), N_("as usual for such a stay"), N_("who stayed so briefly calls less often")),
    "opening": (N_("people call more at this hour"), N_("an hour like any other"), N_("people call less at this hour")),
    "not_credited": (N_("no call was laid to this visit before"), N_("no call was laid to this visit before"), N_("earlier calls were laid to this visit")),
    "no_other_phone": (N_("no other phone was laid to this visitor"), N_("no other phone was laid to this visitor"), N_("another phone was laid to this visitor before")),
}  # fmt: skip
WEIGHING = N_(
    "probability = expected calls of the visit ÷ (expected calls of all visits that were shown the number + unrelated calls). Expected calls = usual at that point × this source × time on the page × this hour of the week × not yet credited × no other phone. For a phone that has called before, what it did then is added instead: calls again + same visitor + new browser"
)
STATE_OF_VISIT = {
    "click_quiet": N_("tapped the number"),
    "click_seen": N_("tapped the number, then read on"),
    "seen_here": N_("saw the number, still on the page"),
    "seen_gone": N_("saw the number, then left"),
    "unseen_here": N_("did not see the number, still on the page"),
    "unseen_gone": N_("did not see the number, left"),
}
YES, NO, AN_HOUR = N_("yes"), N_("no"), N_("an hour")

DONE = {
    "replayed": N_("It will be sent again."),
    "read_again": N_("The events will be read again."),
    "retried": N_("The letters will be sent again."),
    "excluded": N_("The contact is left out of all figures."),
    "included": N_("The contact counts again."),
    "costs": N_("The costs are written down."),
}


class Metric(NamedTuple):
    """A column of the channel report."""

    name: str  # the report's field
    title: str
    full: str
    formula: str
    form: str  # count, money, percent
    better: int  # 1: more is better, -1: less is better, 0: neither


METRICS = (
    Metric("visits", N_("Visits"), N_("Visits"), N_("Sessions that began in the period, bots and tests left out"), "count", 0),
    Metric("calls", N_("Calls"), N_("Calls"), N_("Sum of the weights of calls: one that is 0.7 / 0.3 counts 0.7 here and 0.3 there"), "count", 1),
    Metric("missed", N_("Missed"), N_("Missed calls"), N_("Calls that ended without an answer, summed by weight"), "count", -1),
    Metric("emails", N_("Letters"), N_("Letters"), N_("Letters that arrived, summed by weight"), "count", 1),
    Metric("forms", N_("Forms"), N_("Forms"), N_("Forms that were sent, summed by weight"), "count", 1),
    Metric("messages", N_("Messages"), N_("Messages"), N_("Chats and messages, summed by weight"), "count", 1),
    Metric("contacts", N_("Contacts"), N_("Contacts"), N_("Calls + Letters + Forms + Messages"), "count", 1),
    Metric("leads", N_("Leads"), N_("Leads"), N_("Leads opened in the period; a lead has the source of its first contact"), "count", 1),
    Metric("deals", N_("Deals"), N_("Deals won"), N_("Deals won in the period"), "count", 1),
    Metric("revenue", N_("Revenue"), N_("Revenue"), N_("Sum of the deals won in the period"), "money", 1),
    Metric("cost", N_("Cost"), N_("Cost"), N_("What the advertisements of the period cost"), "money", 0),
    Metric("cpl", N_("CPL"), N_("Cost per lead"), N_("Cost ÷ Leads"), "money", -1),
    Metric("cpo", N_("CPO"), N_("Cost per order"), N_("Cost ÷ Deals won"), "money", -1),
    Metric("cr", N_("CR"), N_("Conversion rate"), N_("Contacts ÷ Visits"), "percent", 1),
    Metric("romi", N_("ROMI"), N_("Return on marketing investment"), N_("(Revenue − Cost) ÷ Cost"), "percent", 1),
    Metric("roas", N_("ROAS"), N_("Return on ad spend"), N_("Revenue ÷ Cost"), "percent", 1),
)  # fmt: skip


class Check(NamedTuple):
    """A figure of the calibration page."""

    name: str  # the calibration's attribute
    title: str
    formula: str


CHECKS = (
    Check("calls", N_("Calls checked"), N_("Calls whose truth became known without asking the answer, of all calls to the pool's numbers; spam is left out")),
    Check("mean_weight", N_("Mean certainty"), N_("Σ largest weight ÷ calls checked; “none of them” is a weight too")),
    Check("share_right", N_("Share right"), N_("Calls whose likeliest answer was the truth ÷ calls checked")),
    Check("error", N_("Calibration error"), N_("Expected calibration error: over ten bins of certainty, Σ (calls of the bin ÷ calls checked) × |mean certainty − share right|. 0 is perfect; up to 0.055 is good")),
)  # fmt: skip
INTERVAL = Check(
    "interval",
    N_("95 % interval"),
    N_(
        "Wilson's score interval of the share right: (p + z²/2n ± z √(p (1 − p)/n + z²/4n²)) ÷ (1 + z²/n) with z = 1.96. A bin with enough calls is off when its mean certainty lies outside and chance would bring that in fewer than one of forty cases"
    ),
)
OFF = {1: N_("too sure"), 0: N_("fits"), -1: N_("surer than it says")}
TOO_FEW = N_("too few calls to tell")


class Truth(NamedTuple):
    """A way in which a call's truth becomes known."""

    title: str
    why: str


TRUTHS = {
    "test": Truth(N_("planned test calls"), N_("a visit marked by skvoz_test=1 was shown the number minutes before it rang")),
    "click": Truth(N_("taps on a number nobody else had"), N_("it rang within 15 s of the tap, and nobody else had held that number for 14 days")),
    "form": Truth(N_("forms with the caller's phone"), N_("a form, letter or message with the same phone within 30 days, by a visitor who was shown that number")),
}  # fmt: skip


# The health of pools --------------------------------------------------------------------

POOL_CHARTS = {
    "visitors": N_("Visitors"),
    "use": N_("Numbers in use, %"),
    "calls": N_("Calls"),
}
POOL_SERIES = {
    "own": N_("a number of their own"),
    "shared": N_("a shared number"),
    "blocked": N_("no number"),
    "utilisation": N_("on average, %"),
    "busiest": N_("more at the busiest moment, %"),
    "right": N_("expected to be attributed rightly"),
    "wrong": N_("expected not to be"),
}
POOL_METRICS = (
    Metric("issued", N_("Issued"), N_("Numbers issued"), N_("Visitors who were lent a number in the period"), "count", 0),
    Metric("shared", N_("Shared"), N_("Visitors with a shared number"), N_("Of the issued: those lent a number whose holder was still alive, because none was idle. A call to it is divided between them by probability"), "count", -1),
    Metric("blocked", N_("No number"), N_("Visitors without a number"), N_("Visitors who found no idle number − those of them who were lent one later. Each process counts them in memory and writes them down every few seconds: those of the last seconds before a crash are missing"), "count", -1),
    Metric("overloaded", N_("Overloaded"), N_("Overloaded"), N_("(Shared + No number) ÷ (Issued + No number)"), "percent", -1),
    Metric("utilisation", N_("Utilisation"), N_("Utilisation"), N_("Σ of the time each number was in use ÷ (numbers × time). A number is in use from when it is lent until 150 s after its holder's last sign of life"), "percent", 0),
    Metric("busiest", N_("Busiest"), N_("The busiest moment"), N_("The largest share of the numbers that were in use at one moment"), "percent", -1),
    Metric("called", N_("Calls"), N_("Calls"), N_("Calls to the pool's numbers; spam, tests and own staff are left out"), "count", 0),
    Metric("accuracy", N_("Expected accuracy"), N_("Expected accuracy"), N_("Σ over the calls of the larger of the heaviest candidate's weight and the weight of “none of them” ÷ Calls. It holds as far as the Calibration page says"), "percent", 1),
)  # fmt: skip


# How many numbers ----------------------------------------------------------------------

PLANNED = (
    Check("own", N_("Own number"), N_("Visits shown a number that was idle ÷ visits")),
    Check("shared", N_("Shared"), N_("Visits shown a number whose holder was still there, because none was idle ÷ visits")),
    Check("blocked", N_("No number"), N_("Visits shown none until they ended ÷ visits")),
    Check("erlang", N_("Erlang B"), N_("Share of visits that find no idle number in the busiest hour: B(0) = 1, B(k) = A·B(k−1) ÷ (k + A·B(k−1)) with the load A = visits of the hour × (mean visible seconds + 150) ÷ 3600. It tells when a pool is hopelessly small, not how many callers are found")),
    Check("found", N_("Found"), N_("Drawn calls whose visit is ranked first ÷ drawn calls made by visits, also by those shown no number. Calls are drawn from the rates the site has learned and go to the number their visit was shown")),
    Check("right", N_("Right"), N_("Drawn calls whose likeliest answer is the truth ÷ all drawn calls; those no visit led to count too, and “none of them” is an answer")),
    Check("error", N_("Calibration error"), N_("Expected calibration error: over ten bins of certainty, Σ (calls of the bin ÷ calls checked) × |mean certainty − share right|. 0 is perfect; up to 0.055 is good")),
    Check("wrong_calls", N_("Wrong calls a month"), N_("Calls of 30 days × (1 − Right); the real calls, as many more or fewer as the visits promise")),
    Check("loss", N_("Misplaced a month"), N_("Wrong calls a month × what a contact is worth: revenue ÷ contacts of the last 90 days, or cost ÷ contacts where no revenue is known. It is the money whose source is told wrongly")),
)  # fmt: skip
NOT_PLANNED = {
    "traffic": N_("Times of all visits: a number above 0 and up to 20. It was left out."),
    "source": N_("A source is like yandex/cpc, its times a number above 0 and up to 20. It was left out."),
    "rest": N_("Rest: from 0 to 86400 seconds. It was left out."),
    "share": N_("Sharing is on or off. It was left out."),
    "late": N_("When to wait is always, peak or never. It was left out."),
    "goal": N_("The goal is a percentage between 0 and 100. It was left out."),
}  # fmt: skip


# Alerts ---------------------------------------------------------------------------------


class AlertText(NamedTuple):
    """What an alert says and advises."""

    title: str
    detail: str
    remedy: str


ALERTS = {
    "leak.called": AlertText(
        N_("Calls to %(subject)s fit no visitor who was shown it"),
        N_("About %(unexplained)s such calls in %(days)s days, where %(expected)s were to be expected by the other numbers of the pool."),
        N_("Search for the number in public: directories, maps, old advertisements, printed matter. Have it replaced there by your own number; until then take it out of the pool, or make it a static number of that source. If these calls are spam, mark them so on their pages and the alarm ends."),
    ),
    "leak.found": AlertText(
        N_("%(subject)s, a tracking number, stands in your own page"),
        N_("It is written in the HTML of %(page)s (pages with it: %(count)s), so everybody sees it and its calls cannot be told apart."),
        N_("Write the company's own number in the page's source: the snippet puts the visitor's one in its place. The pages are read again the next day, and the alarm ends by itself."),
    ),
    "accuracy.low": AlertText(
        N_("Calls to the pool %(subject)s are attributed too uncertainly"),
        N_("On %(day)s only %(accuracy)s of %(calls)s calls are expected to be attributed rightly; your threshold is %(threshold)s."),
        N_("Add numbers to the pool: the Plan page says how many help how much. The alarm ends after a day above the threshold."),
    ),
}  # fmt: skip
