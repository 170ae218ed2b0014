"""One playwright for all browser tests: its blocking form can run only once in a thread.

It occupies the thread's event loop until it ends, so it ends with this package, before tests that need their own.
"""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Playwright, sync_playwright

from tests.end_to_end.pages import SOUND_FLAG, chromium


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="package")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """A browser that lets her sound without a tap."""
    with chromium(playwright, SOUND_FLAG) as running:
        yield running
