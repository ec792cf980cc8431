"""The table of distinct sources: each is kept once, under an id made from its own fields."""

import hashlib
from collections.abc import Iterable
from functools import lru_cache

from tracker import db as database
from tracker.sources import Source

UNKNOWN = 0  # "no source was found"; never the id of a real one


@lru_cache(maxsize=20_000)
def source_id(source: Source) -> int:
    """A positive 63-bit id from the labels, compared without regard to case.

    A site with a million distinct sources has a chance of 1 in 18 million of two sharing one.
    """
    labels = (
        source.channel,
        source.source,
        source.medium,
        source.campaign,
        source.content,
        source.term,
    )
    text = "\x1f".join(labels).lower()
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 1) or 1


async def keep(db: database.Db, site_id: int, sources: Iterable[Source]) -> None:
    """Write the sources that are not there yet."""
    rows = {source_id(source): row(site_id, source) for source in sources}
    if rows:
        await db.execute(keeps(1), *database.columns(sorted(rows.values()), WIDTH))


def row(site_id: int, source: Source) -> tuple[int, int, str, str, str, str, str, str]:
    """The source as `keeps` takes it."""
    return (
        site_id,
        source_id(source),
        source.channel,
        source.source,
        source.medium,
        source.campaign,
        source.content,
        source.term,
    )


WIDTH = 8  # parameters of `keeps`


def keeps(first: int) -> str:
    """The INSERT for a group statement; its parameters `$first` and on are rows' columns.

    Each source may stand among the rows once.
    """
    n = range(first, first + WIDTH)
    return f"""
        INSERT INTO sources (site_id, id, channel, source, medium, campaign, content, term)
        SELECT * FROM unnest(${n[0]}::int[], ${n[1]}::bigint[], ${n[2]}::text[], ${n[3]}::text[],
                             ${n[4]}::text[], ${n[5]}::text[], ${n[6]}::text[], ${n[7]}::text[])
        ON CONFLICT DO NOTHING
    """
