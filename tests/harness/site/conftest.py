"""A real browser for the page: Debian's chromium, driven by playwright; without both its tests skip and say why."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.history.folder import History
from harness.site.folder import check_folder, write_files
from harness.site.write import site_files
from tests.harness.site import synthetic

CHROMIUM = os.environ.get("HARNESS_TEST_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")  # its driver keeps an event loop in this thread, in which no other test can run one
def browser() -> Iterator[Any]:
    api = pytest.importorskip(
        "playwright.sync_api", reason="pip install 'gpt-harness[browser]' for the browser's tests"
    )
    if CHROMIUM is None:
        pytest.skip("no chromium here (Debian: apt-get install chromium)")
    with api.sync_playwright() as driver:
        # in a container there is often no user namespace for the sandbox; only our own pages are opened
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


DRAWN = """[...document.querySelectorAll('.chart')].every((chart) =>
    chart.getBoundingClientRect().top > innerHeight || chart.querySelector('svg'))"""
"""Charts are drawn when it is known how wide they are, those further down when they come into view."""


class Opened:
    """A page of a site, opened from disk, with all that went wrong in it."""

    def __init__(self, browser: Any, folder: Path, **options: Any) -> None:
        self.context = browser.new_context(viewport={"width": 1280, "height": 800}, **options)
        self.page = self.context.new_page()
        self.problems: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.problems.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.problems.append(dialog.message), dialog.dismiss()))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.address = (folder / "index.html").as_uri()

    def open(self, route: str = "#/runs") -> Any:
        """Show a route, and wait until it is there."""
        if self.page.url.partition("#")[0] != self.address:
            self.page.goto(f"{self.address}{route}")
        else:
            self.page.evaluate("route => { location.hash = route }", route)
        self.until("document.getElementById('main').dataset.shown === location.hash")
        self.until(DRAWN)
        return self.page

    def until(self, condition: str) -> None:
        """Wait until a condition holds in the page, whose policy forbids playwright's own way (`eval`)."""
        for _ in range(1_000):
            if self.page.evaluate(condition):
                return
            self.page.wait_for_timeout(20)
        raise AssertionError(f"never: {condition}")

    def close(self) -> None:
        """Nothing went wrong, and nothing was asked of another host."""
        self.context.close()
        assert self.problems == []
        assert {url.partition(":")[0] for url in self.requests} <= {"file", "data"}


def written(folder: Path, history: History, **options: Any) -> Path:
    write_files(folder, site_files(history, project=folder.parent, **options), check_folder(folder))
    return folder


@pytest.fixture(scope="session")
def some_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty commits."""
    folder = tmp_path_factory.mktemp("some")
    return written(folder / "site", synthetic.history(30), title="Tiny", commits="https://example.org/commit/{commit}")


@pytest.fixture
def opened(browser: Any, some_site: Path) -> Iterator[Opened]:
    one = Opened(browser, some_site)
    yield one
    one.close()
