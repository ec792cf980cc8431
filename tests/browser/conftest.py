"""A real Chromium for tests of pages, and a scriptable tracker for the snippet's.

The browser process is started once a worker; each test connects to it from its own event
loop and gets contexts (cookies, storage) of its own, so that any other fixture can be used
beside it.
"""

import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    async_playwright,
)

from tests.browser.fake_tracker import PATIENCE, FakeTracker
from web import snippet_build

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
    "about:blank",
)
USER_AGENT = (  # headless Chromium would call itself a bot
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/141.0.0.0 Safari/537.36"
)


@pytest.fixture(scope="session")
def chromium() -> Iterator[str]:
    """The address of a running Chromium's debugging port."""
    program = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    assert program, "no Chromium: apt install chromium"
    profile = Path(tempfile.mkdtemp(prefix="skvoz-chromium-"))
    with (profile / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, f"--user-data-dir={profile}", *ARGUMENTS],
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
    try:
        yield f"http://127.0.0.1:{_debugging_port(process, profile)}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
        shutil.rmtree(profile, ignore_errors=True)


def _debugging_port(process: "subprocess.Popen[bytes]", profile: Path) -> int:
    """Chromium writes the port it chose into its profile."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return int((profile / "DevToolsActivePort").read_text().split()[0])
        except (OSError, IndexError):
            started = process.poll() is None and time.monotonic() < deadline
            assert started, (profile / "log").read_text()
            time.sleep(0.02)


@pytest.fixture
async def browser(chromium: str) -> AsyncIterator[Browser]:
    """A connection to Chromium; contexts made through it end with the test."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.connect_over_cdp(chromium)
        yield browser
        await browser.close()


@dataclass(frozen=True, slots=True)
class Window:
    """A page with what its console and its error handler were told."""

    page: Page
    console: list[ConsoleMessage] = field(default_factory=list)
    errors: list[Any] = field(default_factory=list)

    def lines(self) -> list[tuple[str, str]]:
        """Console lines of scripts; the browser's own reports of failed requests are none."""
        return [
            (message.type, message.text)
            for message in self.console
            if not message.text.startswith("Failed to load resource")
        ]

    async def until(self, expression: str) -> None:
        """Wait until something is true on the page."""
        await self.page.wait_for_function(expression, timeout=PATIENCE * 1000)


@pytest.fixture
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    """One visitor's browser: pages opened in it share cookies and storage."""
    context = await browser.new_context(
        user_agent=USER_AGENT, viewport={"width": 1200, "height": 800}
    )
    context.set_default_timeout(PATIENCE * 1000)
    yield context
    await context.close()


@pytest.fixture
async def visit(context: BrowserContext) -> Callable[[str], Awaitable[Window]]:
    """Open an address in a new tab of the visitor's browser."""

    async def visit(url: str) -> Window:
        window = Window(await context.new_page())
        window.page.on("console", lambda line: window.console.append(line))
        window.page.on("pageerror", lambda error: window.errors.append(error))
        await window.page.goto(url, wait_until="load")
        return window

    return visit


@pytest.fixture(scope="session")
def snippet() -> dict[str, str]:
    """The minified scripts by name: `core`, its parts, and what is loaded apart."""
    snippet_build.build()
    built = (snippet_build.ROOT / "web/static/snippet").glob("*.min.js")
    return {path.name.removesuffix(".min.js"): path.read_text() for path in built}


@pytest.fixture
async def tracker(snippet: dict[str, str]) -> AsyncIterator[FakeTracker]:
    """A tracker that says what the test wants, and the site's pages."""
    fake = FakeTracker(scripts=snippet)
    runner = web.AppRunner(fake.app(), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    fake.port = runner.addresses[0][1]
    yield fake
    fake.closing.set()
    await runner.cleanup()
