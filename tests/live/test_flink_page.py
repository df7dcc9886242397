"""Flink's page as a person sees it, in a headless browser."""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, sync_playwright

from tests.support.lake import Lake
from tests.support.lakehouses import RunningLakehouse

DRAWN_WITHIN_MS = 60_000


@pytest.fixture
def page(lakehouse: RunningLakehouse) -> Iterator[Page]:
    """A page of a browser that knows the login."""
    user, password = lakehouse.flink_login
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page(http_credentials={"username": user, "password": password})
        page.set_default_timeout(DRAWN_WITHIN_MS)
        yield page
        browser.close()


def test_page_shows_the_job_and_nothing_is_refused(
    lakehouse: RunningLakehouse, lake: Lake, page: Page
) -> None:
    job = lake.flink.running_job()
    refused: list[str] = []
    page.on(
        "response",
        lambda reply: (
            refused.append(f"{reply.status} {reply.url}") if reply.status >= 400 else None
        ),
    )
    url = lakehouse.environment["FLINK_URL"]
    page.goto(url)
    page.get_by_text("attribution").first.wait_for()
    page.goto(f"{url}/#/job/running/{job}/checkpoints")
    page.get_by_text("Latest Completed Checkpoint").first.wait_for()
    page.goto(f"{url}/#/job-manager/config")
    page.get_by_text("jobmanager.rpc.port").first.wait_for()
    page.goto(f"{url}/#/task-manager")
    page.get_by_text("Data Port").first.wait_for()
    assert refused == []
