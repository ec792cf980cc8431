"""Takes the README's pictures: `make screenshots`.

Starts a whole server on free ports and a temporary folder, fills its example site with the
same story every time, signs in with the link that the server prints, and photographs the
pages with the system's Chromium into `docs/images/`.
"""

import asyncio
import os
import re
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # this is started as a file

from tracker import claim  # noqa: E402

IMAGES = ROOT / "docs" / "images"
SIZE = {"width": 1280, "height": 800}
HEIGHTS = {
    "contact": 1300,
    "channels": 1240,
    "plan": 1200,
    "calibration": 1100,
}  # those with more to say
SEED, WEEKS = "1", "9"  # a whole period and the one before it
PATIENCE = 120.0  # seconds for a server to start
TRIES = 20  # pictures of one page until two are the same; a clock may tick on it
LINK = re.compile(r"(http://\S+/sign-in/\S+)")
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")
AGENT = (  # headless Chromium would call itself a bot
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/141.0.0.0 Safari/537.36"
)
# Visitors of the shop while the pictures are taken, by what their advertisement says.
VISITORS = (
    "utm_source=yandex&utm_medium=cpc&utm_campaign=kuhni-poisk&yclid=5926",
    "utm_source=google&utm_medium=cpc&utm_campaign=kitchens-search&gclid=Cj0K",
    "utm_source=telegram&utm_medium=messenger&utm_campaign=kanal-remont",
    "utm_source=2gis&utm_medium=maps",
)

# A call with rivals for it, by a person who also wrote and bought: the page with most to say.
TELLING = """
SELECT c.id FROM contacts c
  JOIN persons p ON p.site_id = c.site_id AND p.id = c.person_id AND p.name <> ''
  JOIN deals d ON d.site_id = c.site_id AND d.person_id = c.person_id AND d.state = 'won'
 WHERE c.kind = 'call' AND c.rule LIKE 'pool-posterior%' AND c.certainty BETWEEN 0.6 AND 0.98
   AND EXISTS (SELECT FROM contacts o WHERE o.site_id = c.site_id
                  AND o.person_id = c.person_id AND o.kind <> 'call')
 ORDER BY c.at DESC LIMIT 1
"""
OWED = """
SELECT count(*) FROM deliveries d
  JOIN connections c ON c.site_id = d.site_id AND c.id = d.destination_id
 WHERE c.kind = 'webhook' AND d.state = 'owed'
"""
ANY_CALL = "SELECT id FROM contacts WHERE kind = 'call' ORDER BY certainty DESC LIMIT 1"


async def main() -> None:
    """All pictures, one after another."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(started())
        browser = await stack.enter_async_context(chromium())
        context = await window(browser)
        page = await context.new_page()
        await sign_in(page, server.link)
        await server.has_told_its_crm()
        await shop(browser, server.address)
        for name, path in (await pages(server)).items():
            await page.set_viewport_size({**SIZE, "height": HEIGHTS.get(name, 800)})
            await page.goto(server.address + path)
            await page.wait_for_load_state("load")
            await photograph(page, name)


async def pages(server: "Server") -> dict[str, str]:
    """What is photographed: the name of the picture, the address of the page."""
    return {
        "numbers": "/demo/numbers",
        "contacts": "/demo/contacts",
        "contact": f"/demo/contacts/{await server.telling_contact()}",
        "channels": "/demo/channels",
        "health": "/demo/health",
        "calibration": "/demo/numbers/calibration",
        "plan": "/demo/numbers/plan",
    }


async def sign_in(page: Page, link: str) -> None:
    await page.goto(link)
    await page.click("button.main")
    await page.wait_for_url("**/demo/contacts")


async def shop(browser: Browser, address: str) -> None:
    """Visitors who stay on the page; the first of them calls and writes."""
    first: Page | None = None
    for query in VISITORS:
        page = await (await window(browser)).new_page()
        await page.goto(f"{address}/demo/?{query}", wait_until="networkidle")
        await page.wait_for_function(
            "!document.getElementById('mail').textContent.startsWith('info@')"
        )
        first = first or page
    assert first is not None
    await first.click("#call")
    await first.wait_for_function("document.getElementById('said').textContent")
    await first.click("#write")
    await first.locator("#received b", has_text="Mailbox").first.wait_for()
    await first.locator("#received .facts", has_text="email ·").first.wait_for()
    await photograph(first, "shop")


async def window(browser: Browser) -> BrowserContext:
    """One person's browser."""
    context = await browser.new_context(
        viewport=SIZE, locale="en-GB", timezone_id="Europe/Moscow", user_agent=AGENT
    )
    context.set_default_timeout(60_000)
    return context


async def photograph(page: Page, name: str) -> None:
    """The page as it stands once its charts are drawn."""
    await page.evaluate("document.fonts.ready")
    picture = await page.screenshot(animations="disabled")
    for _ in range(TRIES):
        before, picture = picture, await page.screenshot(animations="disabled")
        if picture == before:
            break
    path = IMAGES / f"{name}.png"
    path.write_bytes(picture)
    print(f"{path.relative_to(ROOT)}  {len(picture) // 1024} KB")


# The server -----------------------------------------------------------------------------


class Server:
    """A whole server, made for the pictures."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.http, self.smtp = free_port(), free_port()
        self.address = f"http://localhost:{self.http}"
        self.link = ""
        self._ready = asyncio.Event()
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("SKVOZ_", "DATABASE_URL", "REDIS_URL"))
        } | {
            "SKVOZ_DATA": str(folder),
            "SKVOZ_HTTP_PORT": str(self.http),
            "SKVOZ_SMTP_PORT": str(self.smtp),
        }

    async def skvoz(self, *arguments: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tracker.cli", *arguments),
            env=self.environment,
            cwd=ROOT,
            stderr=asyncio.subprocess.PIPE,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """While it runs; its lines are read to the end, so that it never waits."""
        process = await self.skvoz("run")
        assert process.stderr is not None
        lines = asyncio.create_task(self._listen(process.stderr))
        try:
            await asyncio.wait_for(self._ready.wait(), PATIENCE)
            yield
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
            await process.wait()
            await lines

    async def _listen(self, lines: asyncio.StreamReader) -> None:
        """Until it says how to sign in, and on."""
        async for line in lines:
            if found := LINK.search(line.decode()):
                self.link = found[1]
                self._ready.set()
            elif not self._ready.is_set():
                print(line.decode(), end="", file=sys.stderr)

    async def fill(self) -> None:
        telling = await self.skvoz("demo", "--seed", SEED, "--weeks", WEEKS)
        _, said = await telling.communicate()
        if telling.returncode != 0:
            raise SystemExit(said.decode())

    async def has_told_its_crm(self) -> None:
        """Until the deliveries of the story's last day are done."""
        while await self._ask(OWED):
            await asyncio.sleep(0.2)

    async def telling_contact(self) -> str:
        """A contact whose page shows much."""
        return str(await self._ask(TELLING) or await self._ask(ANY_CALL))

    async def _ask(self, question: str) -> Any:
        addresses = claim.published(self.folder)
        assert addresses is not None
        db = await asyncpg.connect(addresses.database_url)
        try:
            return await db.fetchval(question)
        finally:
            await db.close()


@asynccontextmanager
async def started() -> AsyncIterator[Server]:
    """A server with a history; it leaves nothing behind."""
    parent = Path(tempfile.mkdtemp(prefix="skvoz-pictures-"))
    try:
        parent.chmod(0o755)  # root's engines run as another user
        server = Server(parent / "data")
        await server.fill()
        async with server.running():
            yield server
    finally:
        shutil.rmtree(parent, ignore_errors=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    program = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    if program is None:
        raise SystemExit("no Chromium: apt install chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=program,
            args=["--no-sandbox", "--disable-gpu", "--hide-scrollbars"],
        )
        yield browser
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
