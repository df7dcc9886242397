"""Open a dashboard in headless Chromium, wait until every chart is drawn, save a picture.

    screenshot.py OUT.png [SLUG]

Enters: the environment of `make env` (SUPERSET_URL, SUPERSET_USER, SUPERSET_PASSWORD; CHROMIUM if
the browser is elsewhere). Leaves: the picture, and one line with the number of charts. Fails if a
chart shows an error or is not drawn in time, and says what it saw.
"""

import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError
from playwright.sync_api import sync_playwright

DASHBOARDS = Path(__file__).parent / "assets" / "dashboards"
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
VIEWPORT = {"width": 1600, "height": 1180}
DRAWN_WITHIN_MS = 90_000
# ECharts animates its bars after the data arrived, and the time depends on the machine. So take the
# picture once the charts look the same twice in a row.
STILL_MS = 700
STILL_CHECKS = 60
CHARTS = '[data-test="grid-content"]'
# A chart with data shows a picture, a number or rows. A chart that waits for its turn has an empty
# container, without even a loading indicator.
ALL_CHARTS_DRAWN = """count => {
    const charts = [...document.querySelectorAll('.slice_container')];
    return charts.length >= count
        && charts.every(chart => chart.querySelector('canvas, .header-line, tbody td'))
        && document.querySelectorAll('.loading, [data-test="loading-indicator"]').length === 0;
}"""
ERRORS = '[role="alert"], [data-test="error-alert"], .ant-alert-error'


class ScreenshotError(Exception):
    """A chart was not drawn or shows an error."""


def main(arguments: list[str]) -> None:
    """Take one picture."""
    picture = Path(arguments[0])
    slug = arguments[1] if len(arguments) > 1 else "last-hour"
    count = count_charts(slug)
    take_screenshot(
        url=os.environ["SUPERSET_URL"],
        user=os.environ["SUPERSET_USER"],
        password=os.environ["SUPERSET_PASSWORD"],
        slug=slug,
        count=count,
        picture=picture,
    )
    print(f"{picture}: {count} charts")  # noqa: T201


def count_charts(slug: str) -> int:
    """Number of charts in the dashboard's file."""
    for file in DASHBOARDS.glob("*.yaml"):
        dashboard = yaml.safe_load(file.read_text())
        if dashboard["slug"] == slug:
            parts = [part for part in dashboard["position"].values() if isinstance(part, dict)]
            return sum(part["type"] == "CHART" for part in parts)
    raise ScreenshotError(f"{slug}: no dashboard in {DASHBOARDS} has this slug")


def take_screenshot(
    *, url: str, user: str, password: str, slug: str, count: int, picture: Path
) -> None:
    """Log in, open the dashboard, wait for its `count` charts, save the picture.

    Raises:
        ScreenshotError: a chart shows an error or is not drawn in time.
    """
    with tempfile.TemporaryDirectory() as profile, sync_playwright() as playwright:
        browser = playwright.chromium.launch_persistent_context(
            profile,
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"),
            headless=True,
            viewport=VIEWPORT,
            args=CHROMIUM_ARGUMENTS,
        )
        try:
            log_in(browser.request, url, user, password)
            page = browser.pages[0]
            page.goto(f"{url}/superset/dashboard/{slug}/", wait_until="domcontentloaded")
            try:
                page.wait_for_function(ALL_CHARTS_DRAWN, arg=count, timeout=DRAWN_WITHIN_MS)
            except PlaywrightTimeoutError:
                page.screenshot(path=picture)
                raise ScreenshotError(
                    f"{slug}: {count} charts not drawn in {DRAWN_WITHIN_MS} ms; see {picture}"
                ) from None
            show_whole_page(page)
            picture.write_bytes(take_still_picture(page, slug, count))
            errors = [element.inner_text() for element in page.query_selector_all(ERRORS)]
            if any(errors):
                raise ScreenshotError(f"{slug}: {'; '.join(filter(None, errors))}")
        finally:
            browser.close()


def show_whole_page(page: Any) -> None:
    """Make the window as tall as the page: Superset removes charts that are out of sight."""
    height = page.evaluate("document.documentElement.scrollHeight")
    page.set_viewport_size({**VIEWPORT, "height": height})


def take_still_picture(page: Any, slug: str, count: int) -> bytes:
    """A picture of the page between two moments at which the charts look the same.

    Raises:
        ScreenshotError: the charts never look the same twice.
    """
    charts = page.locator(CHARTS)
    before = picture = b""
    for _ in range(STILL_CHECKS):
        now = charts.screenshot()
        if now == before and page.evaluate(ALL_CHARTS_DRAWN, count):
            return bytes(picture)
        before, picture = now, page.screenshot()
        page.wait_for_timeout(STILL_MS)
    raise ScreenshotError(f"{slug}: the charts still move after {STILL_CHECKS} checks")


def log_in(request: Any, url: str, user: str, password: str) -> None:
    """Log in by plain HTTP, because a beacon in the login page can reset the session's cookie.

    Raises:
        ScreenshotError: Superset rejects the credentials.
    """
    form = request.get(f"{url}/login/").text()
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', form)
    if token is None:
        raise ScreenshotError(f"{url}/login/: no csrf_token in the page; is it Superset?")
    answer = request.post(
        f"{url}/login/",
        max_redirects=0,
        form={"username": user, "password": password, "csrf_token": token.group(1)},
    )
    if "/login" in answer.headers.get("location", "/login"):
        raise ScreenshotError(
            f"{url}: {user} cannot log in; are user and password from `make env`?"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
