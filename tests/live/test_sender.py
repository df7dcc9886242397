"""The example sender of docs/events.md, run as a user would run it."""

import os
import subprocess
import sys

from configuration import REPOSITORY
from tests.support.lake import Lake
from tests.support.lakehouses import RunningLakehouse


def test_documented_sender_sends_a_click_that_earns_its_checkout(
    lakehouse: RunningLakehouse, lake: Lake
) -> None:
    lake.wake()
    sent = subprocess.run(
        [sys.executable, "docs/events/send_sale.py"],
        cwd=REPOSITORY,
        env={**os.environ, **lakehouse.environment_of("sender")},
        capture_output=True,
        text=True,
        check=True,
    )
    lake.close()
    rows = lake.trino.query(
        "select click_source, total_usd from attribution.attributed_checkouts"
        f" where checkout_id = '{sent.stdout.strip()}'"
    )
    assert [(source, str(total)) for source, total in rows] == [("mail", "23.80")]
