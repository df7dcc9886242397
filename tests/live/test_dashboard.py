"""The dashboard as a person sees it, in a headless browser."""

import os
import subprocess
import sys

from configuration import REPOSITORY
from tests.support.lakehouses import RunningLakehouse
from tests.support.shop import Shop

PICTURE = REPOSITORY / "artifacts/last_hour.png"


def test_dashboard_draws_every_chart(lakehouse: RunningLakehouse, shop: Shop) -> None:
    assert shop.last_hour.summary["messages"], "there must be something to draw"
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.unlink(missing_ok=True)
    opened = subprocess.run(
        [sys.executable, "superset/screenshot.py", str(PICTURE)],
        cwd=REPOSITORY,
        env={**os.environ, **lakehouse.environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert opened.returncode == 0, opened.stderr
    assert PICTURE.stat().st_size > 50_000, "the picture is too small for a page with charts"
