"""The example site's make-believe world under `/demo/`: a shop, a PBX, a CRM, a counter.

The shop is a page with the real snippet; its buttons go through the real doors. All of it is
404 unless the example site is set up.
"""

from aiohttp import web

from web.demo import outside, shop


def routes() -> list[web.RouteDef]:
    """The shop's pages and buttons, and what its make-believe systems are told."""
    return [*shop.routes(), *outside.routes()]
