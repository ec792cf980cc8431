"""The example site's way out: one button takes it away with all its data."""

from aiohttp import web

from tracker import errors, example
from web import keys
from web.dashboard.view import View


async def remove(view: View) -> web.StreamResponse:
    """POST /{site}/demo/remove"""
    if not view.here.demo:
        raise errors.UnknownAddress("this is not the example site")
    async with view.db.acquire() as db:
        await example.remove(db)
    await view.request.app[keys.DIRECTORY].load()
    return view.go("/")
