"""One checkout from Kafka to prompt, chart and audit; CI runs this on containers, too."""

import json
from pathlib import Path
from typing import Any

import pytest
import requests

from reference.events import make_checkout, make_click
from tests.support.clients import Trino
from tests.support.lake import Lake
from tests.support.lakehouses import RunningLakehouse
from tests.support.traffic import SECOND_MS, outgoing

USER_ID = 4_000_000
REQUEST_SECONDS = 60


@pytest.fixture(scope="module")
def checkout_id(lake: Lake) -> str:
    """Send a checkout one second after a click on its product, and wait until it is answered."""
    at_ms = lake.now_ms + SECOND_MS
    click = make_click(f"smoke click {at_ms}", USER_ID, at_ms, product_id=7)
    checkout = make_checkout(f"smoke {at_ms}", USER_ID, at_ms + SECOND_MS, product_id=7)
    lake.send(
        [
            outgoing(lake.topics.clickstream, click, 0),
            outgoing(lake.topics.checkouts, checkout, 0),
        ]
    )
    return str(checkout["checkout_id"])


@pytest.fixture(scope="module")
def retried_id(lake: Lake) -> str:
    """Send a failed payment and the one that repeats it, and wait until both are answered."""
    at_ms = lake.now_ms + SECOND_MS
    attempts = [
        make_checkout(f"retried {at_ms}", USER_ID, at_ms + later_ms, payment_status=status)
        for later_ms, status in ((0, "failed"), (SECOND_MS, "succeeded"))
    ]
    lake.send(outgoing(lake.topics.checkouts, attempt, 0) for attempt in attempts)
    return f"retried {at_ms}"


def test_live_view_counts_a_repeated_payment_once(lake: Lake, retried_id: str) -> None:
    rows = lake.trino.query(
        f"select is_paid from marts.live_checkouts where checkout_id = '{retried_id}'"
    )
    assert [tuple(row) for row in rows] == [(True,)]


def test_sql_prompt_shows_the_click_that_earned_the_checkout(
    lakehouse: RunningLakehouse, checkout_id: str, tmp_path: Path
) -> None:
    query = tmp_path / "query.sql"
    query.write_text(
        "select click_id from attribution.attributed_checkouts"
        f" where checkout_id = '{checkout_id}' and is_attributed"
    )
    assert checkout_id.replace("smoke", "smoke click") in lakehouse.ask(query)


@pytest.mark.parametrize("role", ["analyst", "admin"])
def test_superset_chart_counts_the_checkout(
    lakehouse: RunningLakehouse, checkout_id: str, role: str
) -> None:
    assert checkout_id
    environment = lakehouse.environment_of(role)
    answer = ask_superset(environment, "live_checkouts", "checkout_count")
    assert answer[0]["checkout_count"] >= 1


@pytest.mark.parametrize("role", ["analyst", "etl"])
def test_role_logs_in_to_trino_as_itself(lakehouse: RunningLakehouse, role: str) -> None:
    trino = Trino(lakehouse.environment_of(role))
    assert trino.query("select current_user") == [(role,)]


def test_audit_holds_after_the_checkout(lakehouse: RunningLakehouse, checkout_id: str) -> None:
    assert checkout_id
    assert json.loads(lakehouse.audit(as_json=True))["holds"] is True


def ask_superset(environment: dict[str, str], dataset: str, metric: str) -> list[dict[str, Any]]:
    """Query one metric of a dataset through Superset's API, as a chart of one number does."""
    url = environment["SUPERSET_URL"]
    with requests.Session() as session:
        session.trust_env = False
        login = {
            "username": environment["SUPERSET_USER"],
            "password": environment["SUPERSET_PASSWORD"],
            "provider": "db",
        }
        token = _json(session.post(f"{url}/api/v1/security/login", json=login, timeout=10))
        session.headers["Authorization"] = f"Bearer {token['access_token']}"
        found = _json(session.get(f"{url}/api/v1/dataset/", timeout=REQUEST_SECONDS))["result"]
        [dataset_id] = [each["id"] for each in found if each["table_name"] == dataset]
        question = {
            "datasource": {"id": dataset_id, "type": "table"},
            "queries": [{"metrics": [metric], "columns": []}],
            "force": True,
        }
        csrf = _json(session.get(f"{url}/api/v1/security/csrf_token/", timeout=10))["result"]
        session.headers["X-CSRFToken"] = csrf
        reply = session.post(f"{url}/api/v1/chart/data", json=question, timeout=REQUEST_SECONDS)
        return list(_json(reply)["result"][0]["data"])


def _json(reply: requests.Response) -> Any:
    assert reply.ok, f"{reply.status_code}: {reply.text}"
    return reply.json()
