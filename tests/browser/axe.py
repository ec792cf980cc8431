"""What keeps somebody from using a page, as axe-core sees it."""

from typing import Any

from playwright.async_api import Page

from web import snippet_build

AXE = snippet_build.ROOT / "node_modules/axe-core/axe.min.js"
GRAVE = ("serious", "critical")


async def obstacles(page: Page) -> list[Any]:
    """Its serious and critical findings, each with the elements it is about."""
    # Evaluated rather than added as a script: the page's policy lets no other one in.
    await page.evaluate(AXE.read_text(encoding="utf-8"))
    found = await page.evaluate("axe.run({resultTypes: ['violations']})")
    return [
        (one["id"], [node["html"][:200] for node in one["nodes"]])
        for one in found["violations"]
        if one["impact"] in GRAVE
    ]
