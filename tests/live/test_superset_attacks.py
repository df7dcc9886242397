"""Attacks on Superset: by who guesses passwords, who copied a cookie, and who sends events."""

import json
import os
import uuid
from dataclasses import dataclass
from http.cookiejar import CookieJar
from typing import Any

import pytest
import requests
from playwright.sync_api import Response, sync_playwright

from configuration.secrets import load_secrets
from reference.events import make_checkout, make_click
from reference.kafka import Outgoing
from tests.support.clients import REQUEST_SECONDS, Superset, log_in_by_form, send_login_form
from tests.support.lake import Lake
from tests.support.lakehouses import RunningLakehouse
from tests.support.traffic import SECOND_MS, outgoing

USER_ID = 4_100_000
FORMULA = "=cmd|' /C calc'!A0"
ESCAPED = "'=cmd\\|' /C calc'!A0"
NULL = "<NULL>"
ARABIC = "حملة"
LINK = '<a href="https://evil.example" style="position:fixed;inset:0">click me</a>'
WELCOME = "/superset/welcome/"
DRAWN_MS = 90_000
CHROMIUM_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
# Puts markup into the page as ECharts puts a tooltip; returns where the browser places it.
PLACE_MARKUP = """markup => {
    const tooltip = document.createElement('div');
    tooltip.innerHTML = markup;
    document.body.append(tooltip);
    return getComputedStyle(tooltip.firstChild).position;
}"""


@pytest.fixture(scope="module")
def url(lakehouse: RunningLakehouse) -> str:
    return lakehouse.environment["SUPERSET_URL"]


@pytest.fixture(scope="module")
def viewer_password(lakehouse: RunningLakehouse) -> str:
    return load_secrets(lakehouse.settings).superset_viewer_password


@pytest.fixture(scope="module")
def analyst(lakehouse: RunningLakehouse, url: str) -> Superset:
    return Superset(url, "analyst", load_secrets(lakehouse.settings).superset_analyst_password)


@pytest.fixture(scope="module")
def click_id(lake: Lake) -> str:
    """A formula and a link as the source and the campaign of a click that earned much."""
    at_ms = lake.now_ms + SECOND_MS
    click_id = f"attack {at_ms}"
    names = {"source": FORMULA, "campaign": LINK}
    price = {"unit_price_usd": 99_999, "quantity": 9}
    odd = f"odd {at_ms}"
    odd_names = {"source": NULL, "campaign": ARABIC}
    lake.send(
        [
            *sale(lake, make_click(click_id, USER_ID, at_ms, product_id=7, **names), **price),
            *sale(lake, make_click(odd, USER_ID + 1, at_ms, product_id=7, **odd_names)),
        ]
    )
    return click_id


def sale(lake: Lake, click: dict[str, Any], **price: int) -> list[Outgoing]:
    """A click, and a checkout a second later with the same id."""
    at_ms = click["occurred_at_ms"] + SECOND_MS
    checkout = make_checkout(click["event_id"], click["user_id"], at_ms, product_id=7, **price)
    return [
        outgoing(lake.topics.clickstream, click, 0),
        outgoing(lake.topics.checkouts, checkout, 0),
    ]


# --- Who has no password --------------------------------------------------------------------


def test_superset_refuses_a_name_after_ten_wrong_passwords(
    url: str, lakehouse: RunningLakehouse
) -> None:
    name = f"nobody-{uuid.uuid4()}"
    answers = [try_password(url, name) for _ in range(20)]
    assert answers[:10] == [requests.codes.unauthorized] * 10
    assert requests.codes.too_many_requests in answers
    # The page and the API count together, whatever the case of the name.
    page = send_login_form(requests.Session(), url, name.upper(), "wrong")
    assert page.status_code == requests.codes.too_many_requests
    # Nobody else is locked out.
    assert try_password(url, f"nobody-{uuid.uuid4()}") == requests.codes.unauthorized
    assert Superset(url, "admin", load_secrets(lakehouse.settings).superset_admin_password)


def try_password(url: str, name: str) -> int:
    login = {"username": name, "password": "wrong", "provider": "db"}
    reply = requests.post(f"{url}/api/v1/security/login", json=login, timeout=REQUEST_SECONDS)
    return reply.status_code


def test_forms_of_other_sites_lock_nobody_out(url: str) -> None:
    name = f"nobody-{uuid.uuid4()}"
    for _ in range(12):
        form = {"username": name, "password": "wrong"}
        reply = requests.post(f"{url}/login/", data=form, timeout=REQUEST_SECONDS)
        assert reply.status_code != requests.codes.too_many_requests


# --- Who copied a cookie, or sits at the browser after the logout ---------------------------


def test_a_cookie_does_not_work_after_the_logout(url: str, viewer_password: str) -> None:
    session = log_in_by_form(url, "viewer", viewer_password)
    other = log_in_by_form(url, "viewer", viewer_password)
    stolen = session.cookies.get_dict()
    assert answers_with(url, stolen, WELCOME) == requests.codes.ok

    session.get(f"{url}/logout/", timeout=REQUEST_SECONDS)
    assert answers_with(url, stolen, WELCOME) == requests.codes.found, "the way to the login page"
    assert answers_with(url, stolen, "/api/v1/me/") == requests.codes.unauthorized
    assert answers_with(url, other.cookies.get_dict(), WELCOME) == requests.codes.ok


def answers_with(url: str, cookies: dict[str, str], path: str) -> int:
    return requests.get(
        url + path, cookies=cookies, allow_redirects=False, timeout=REQUEST_SECONDS
    ).status_code


def test_the_cookie_is_kept_from_scripts_and_the_page_from_the_cache(
    url: str, viewer_password: str
) -> None:
    session = log_in_by_form(url, "viewer", viewer_password)
    jar: CookieJar = session.cookies
    [cookie] = jar
    assert cookie.has_nonstandard_attr("HttpOnly")
    assert cookie.get_nonstandard_attr("SameSite") == "Lax"
    assert cookie.expires is not None
    page = session.get(url + WELCOME, timeout=REQUEST_SECONDS)
    assert page.headers["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in page.headers


# --- Who sends events -----------------------------------------------------------------------


def test_streamed_sql_results_hold_no_formula(analyst: Superset, click_id: str) -> None:
    query = uuid.uuid4().hex[:10]
    sql = f"select source from lake.raw.clickstream where event_id = '{click_id}'"
    database = analyst.find_database("lake (SQL)")
    assert analyst.run_sql(database, sql, query).json()["data"] == [{"source": FORMULA}]
    export = analyst.submit("/api/v1/sqllab/export_streaming/", {"client_id": query})
    assert export.content.decode("utf-8-sig").splitlines() == ["source", ESCAPED]
    assert analyst.get(f"/api/v1/sqllab/export/{query}/").text.splitlines()[1].startswith("'=cmd")


def test_the_file_of_a_large_chart_holds_no_formula(analyst: Superset, click_id: str) -> None:
    mine = {"col": "checkout_id", "op": "==", "val": click_id}
    # Superset streams so many rows by default.
    export = export_chart(analyst, ["source"], mine, {"row_limit": 100_000})
    header, row = export.content.decode("utf-8-sig").splitlines()
    assert header == "source"
    assert row.startswith("'=cmd")


def export_chart(
    analyst: Superset, columns: list[str], mine: dict[str, Any], form_data: dict[str, Any]
) -> requests.Response:
    """The CSV file of a table of the live checkouts."""
    body = {
        "datasource": {"id": analyst.find_dataset("live_checkouts"), "type": "table"},
        "queries": [{"metrics": [], "columns": columns, "filters": [mine], "row_limit": 10}],
        "result_format": "csv",
        "result_type": "full",
        "form_data": form_data,
    }
    return analyst.submit("/api/v1/chart/data", {"form_data": json.dumps(body)})


def test_a_text_that_looks_like_null_can_be_filtered(analyst: Superset, click_id: str) -> None:
    odd = click_id.replace("attack", "odd")
    mine = {"col": "source", "op": "IN", "val": [NULL]}
    export = export_chart(analyst, ["checkout_id", "source"], mine, {})
    assert f"{odd},{NULL}" in export.content.decode("utf-8-sig").splitlines()


def test_every_csv_file_tells_a_spreadsheet_that_it_is_utf8(
    analyst: Superset, click_id: str
) -> None:
    odd = click_id.replace("attack", "odd")
    mine = {"col": "checkout_id", "op": "==", "val": odd}
    query = uuid.uuid4().hex[:10]
    sql = f"select campaign from lake.raw.clickstream where event_id = '{odd}'"
    analyst.run_sql(analyst.find_database("lake (SQL)"), sql, query)
    for export in (
        export_chart(analyst, ["campaign"], mine, {}),
        export_chart(analyst, ["campaign"], mine, {"row_limit": 100_000}),
        analyst.submit("/api/v1/sqllab/export_streaming/", {"client_id": query}),
        analyst.get(f"/api/v1/sqllab/export/{query}/"),
    ):
        assert export.content.decode().splitlines() == ["\ufeffcampaign", ARABIC]


@dataclass(frozen=True)
class Seen:
    """What a viewer's browser showed: cells of tables, links, and requests that failed."""

    cells: str
    links: list[str]
    failed: list[str]
    position_of_markup: str


@pytest.fixture(scope="module")
def seen(url: str, viewer_password: str, click_id: str, tmp_path_factory: Any) -> Seen:
    """The dashboard of the last hour, opened by the viewer after the attack's events."""
    assert click_id
    cookies = log_in_by_form(url, "viewer", viewer_password).cookies.get_dict()
    failed: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("profile"),
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"),
            args=CHROMIUM_ARGUMENTS,
        )
        try:
            browser.add_cookies(
                [{"name": name, "value": value, "url": url} for name, value in cookies.items()]
            )
            browser.on("response", lambda reply: note_failure(reply, failed))
            page = browser.pages[0]
            page.set_viewport_size({"width": 1600, "height": 4000})
            page.goto(f"{url}/superset/dashboard/last-hour/", wait_until="domcontentloaded")
            cell = page.locator("td", has_text="click me").first
            cell.wait_for(timeout=DRAWN_MS)
            return Seen(
                cell.inner_text(),
                page.eval_on_selector_all("a", "links => links.map(link => link.href)"),
                failed,
                page.evaluate(PLACE_MARKUP, LINK),
            )
        finally:
            browser.close()


def note_failure(reply: Response, failed: list[str]) -> None:
    if reply.status >= requests.codes.bad_request:
        failed.append(f"{reply.status} {reply.url}")


def test_a_table_shows_a_link_of_an_event_as_text(seen: Seen) -> None:
    assert seen.cells == LINK
    assert [link for link in seen.links if "evil.example" in link] == []


def test_a_link_in_a_tooltip_cannot_cover_the_page(seen: Seen) -> None:
    """Superset's tooltips render links of events, with any style that the sender chose."""
    assert seen.position_of_markup == "static"


def test_no_request_of_a_viewers_page_fails(seen: Seen) -> None:
    assert seen.failed == []
