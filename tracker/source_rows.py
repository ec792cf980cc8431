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
    rows = [row(site_id, source) for source in sources]
    if rows:
        await db.execute(KEEP, *database.columns(rows, 8))


def row(site_id: int, source: Source) -> tuple[int, int, str, str, str, str, str, str]:
    """The source as `KEEP` takes it."""
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


KEEP = """
INSERT INTO sources (site_id, id, channel, source, medium, campaign, content, term)
SELECT DISTINCT ON (site_id, id) *
  FROM unnest($1::int[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[],
              $7::text[], $8::text[]) AS s (site_id, id, channel, source, medium, campaign, content, term)
ON CONFLICT DO NOTHING
"""
