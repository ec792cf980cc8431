"""Where a visit came from: a landing address and a referrer become a `Source`.

`classify` is asked by `visits` on every arrival and decides in a fixed order: tags,
Roistat markers, paid click ids, Openstat, referrer, other click ids. `labelled` gives
the same record to a source an owner wrote by hand. Pure: what it knows stands in
`source_tables`, how addresses are read in `tags` and `referrers`, how channels follow
in `channels` and `ga4_channels`.
"""

from collections.abc import Collection

import msgspec

from tracker import channels, referrers, source_tables, tags
from tracker.channels import NOT_SET
from tracker.ga4_channels import ga4_channel as ga4_channel
from tracker.referrers import Referrer
from tracker.source_tables import Origin
from tracker.tags import Tags


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Source: utm tags, click ids and referrer, reduced.

    Texts keep the case they came in and are compared in lower case; each is at most 255
    characters, safe for PostgreSQL, and empty where nothing was told.
    """

    channel: str  # a code of `channels.channel`
    source: str
    medium: str
    campaign: str = ""
    content: str = ""
    term: str = ""

    @property
    def significant(self) -> bool:
        """Does it tell what brought the visitor?"""
        return self.channel not in channels.INSIGNIFICANT


class Landing(msgspec.Struct, frozen=True, kw_only=True):
    """What one landing told us."""

    source: Source
    rule: str  # utm, marker, click_id, openstat, click_id_weak, referrer, direct, self, kept
    click_ids: dict[str, str]  # every known id as it came, by its name in lower case
    labels: dict[
        str, str
    ]  # tags that are stored and decide nothing: utm_id, from, erid …
    referrer_host: str  # as it came, in lower case; an app's package name
    flags: tuple[str, ...]  # `macro`: an ad system's macro was not filled in; `erid`
    compared_host: str  # the referrer's host as it is compared

    @property
    def ga4_channel(self) -> str:
        """The default channel group of Google Analytics 4."""
        return _ga4(self.rule, self.source, self.compared_host)

    @property
    def metrika_source(self) -> str:
        """Metrika's `TrafficSource`."""
        return self._metrika[0]

    @property
    def metrika_detail(self) -> str:
        """Metrika's `TrafficSourceDetail`."""
        return tags.clean(self._metrika[1])

    @property
    def _metrika(self) -> tuple[str, str]:
        return channels.metrika(
            self.source.channel, self.source.source, self.compared_host
        )

    @property
    def starts_session(self) -> bool:
        """Does it end a live session? A referrer alone does not."""
        return self.rule in ("utm", "marker", "click_id")

    @property
    def significant(self) -> bool:
        """Does the visit have a source of its own?

        What an advertiser tagged always counts, even with a medium nobody knows: an older
        source in its place would be a wrong one.
        """
        return self.starts_session or (self.rule != "kept" and self.source.significant)


DIRECT = Source(
    channel="direct", source=channels.DIRECT_SOURCE, medium=channels.DIRECT_MEDIUM
)
INTERNAL = Source(
    channel="internal",
    source=channels.INTERNAL_SOURCE,
    medium=channels.INTERNAL_MEDIUM,
)


def classify(
    url: str,
    referrer: str,
    *,
    own_domains: Collection[str] = (),
    excluded: Collection[str] = (),
    live: bool = False,
) -> Landing:
    """The source of a visit that landed on `url`; any strings will do.

    Own domains with their subdomains, the page's own host and excluded hosts are never a
    source: the visitor of a `live` session who returns from one keeps the source he has
    (`kept`; the landing then holds `INTERNAL` in its place).
    """
    told = tags.read(url)
    came = _referrer(referrer, told)
    rule, source = _decide(
        told, came, inner=_is_inner(came, url, own_domains, excluded), live=live
    )
    return Landing(
        source=source,
        rule=rule,
        click_ids=told.click_ids,
        labels=told.labels,
        referrer_host=tags.clean(came.written) if came else "",
        flags=_flags(told),
        compared_host=came.host if came else "",
    )


def labelled(
    *, source: str, medium: str, campaign: str = "", content: str = "", term: str = ""
) -> Source:
    """A source an owner wrote by hand: a static number's, a cost's, an offline one."""
    return _source(*map(tags.clean, (source, medium, campaign, content, term)))


def _flags(told: Tags) -> tuple[str, ...]:
    if not told.macro and "erid" not in told.values:
        return ()
    flags = {"erid": "erid" in told.values, "macro": told.macro}
    return tuple(name for name, raised in flags.items() if raised)


def _source(
    source: str, medium: str, campaign: str = "", content: str = "", term: str = ""
) -> Source:
    """The source of texts that are clean already, as those of `tags` are."""
    source, medium = source or NOT_SET, medium or NOT_SET
    return Source(
        channel=channels.channel(source, medium),
        source=source,
        medium=medium,
        campaign=campaign,
        content=content,
        term=term,
    )


def _referrer(header: str, told: Tags) -> Referrer | None:
    """The referrer, or the one a redirect put into `utm_referrer`, often without scheme."""
    if came := referrers.parse(header):
        return came
    again = told.get("utm_referrer")
    if "." not in again:
        return None
    return referrers.parse(again if "://" in again else f"https://{again}")


def _is_inner(
    came: Referrer | None, url: str, own: Collection[str], excluded: Collection[str]
) -> bool:
    if came is None:
        return False
    if referrers.is_within(came, own) or referrers.is_excluded(came, excluded):
        return True
    page_url = url.lower()
    if came.host not in page_url and came.written not in page_url:
        return False  # spares taking most addresses apart
    page = referrers.parse(url)
    return page is not None and page.host == came.host


def _decide(
    told: Tags, came: Referrer | None, *, inner: bool, live: bool
) -> tuple[str, Source]:
    """The first rule that fires, and its source."""
    paid = _first(source_tables.STRONG_IDS, told)
    outer = None if inner else came
    if told.utm("source") or told.utm("medium") or told.utm("campaign"):
        return "utm", _from_utm(told, paid, outer)
    if marker := tags.marker(told):
        medium = marker.medium or (paid.medium if paid else "")
        return "marker", _source(
            marker.source, medium, marker.campaign, marker.content, marker.term
        )
    if paid:
        return "click_id", _source(paid.source, paid.medium)
    if inner:
        return ("kept" if live else "self"), INTERNAL
    if stat := tags.openstat(told):
        return "openstat", _from_openstat(stat)
    if outer:
        return "referrer", _from_referrer(outer, in_ad="erid" in told.values)
    if free := _first(source_tables.WEAK_IDS, told):
        return "click_id_weak", _source(free.source, free.medium)
    return "direct", DIRECT


def _first(table: dict[str, Origin], told: Tags) -> Origin | None:
    known = table.keys() & told.click_ids.keys()
    return next(table[name] for name in table if name in known) if known else None


def _from_utm(told: Tags, paid: Origin | None, came: Referrer | None) -> Source:
    """What utm leaves out is taken from a paid click id, the source also from the referrer."""
    source, medium = told.utm("source"), told.utm("medium")
    if not source:
        if paid:
            source = paid.source
        elif came:
            source = _origin(came).source
    if not medium:
        if paid:
            medium = paid.medium
        elif source_tables.KINDS.get(channels.fold(source)) == "ai":
            medium = "ai"  # assistants tag their links with the source only
    return _source(
        source, medium, told.utm("campaign"), told.utm("content"), told.utm("term")
    )


def _origin(came: Referrer) -> Origin:
    return referrers.origin(came) or Origin(tags.clean(came.host), "")


def _from_openstat(stat: tags.Openstat) -> Source:
    service = referrers.advertiser(stat.service)
    source = service.source if service else referrers.normal(stat.service)
    return _source(source, "cpc", stat.campaign, stat.ad)


def _from_referrer(came: Referrer, *, in_ad: bool) -> Source:
    found = referrers.origin(came)
    if in_ad and (found is None or found.medium == "referral"):
        return _source(_origin(came).source, "ad")
    if found is None:
        # not by the look of the host: an unknown page of yandex.ru is no search
        host = tags.clean(came.host)
        return Source(channel="referral", source=host, medium="referral")
    phrase = tags.parameter(came.query, found.phrases) if found.phrases else ""
    return _source(found.source, found.medium, term=phrase)


def _ga4(rule: str, source: Source, host: str) -> str:
    """GA4 knows only search engines by their slug; other referrers by their host."""
    if rule == "referrer" and source.medium != "organic":
        return ga4_channel(host, "referral", "")
    return ga4_channel(source.source, source.medium, source.campaign)
