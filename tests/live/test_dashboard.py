"""The dashboard as a person sees it, in a browser without a window."""

import os
import subprocess
import sys

from configuration import REPOSITORY
from tests.support.lakehouses import RunningLakehouse
from tests.support.shop import Shop

PICTURE = REPOSITORY / "artifacts/last_hour.png"


def test_every_chart_is_drawn_when_the_dashboard_is_opened(
    lakehouse: RunningLakehouse, shop: Shop
) -> None:
    assert shop.last_hour.summary["messages"], "there is something to draw"
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
    assert PICTURE.stat().st_size > 50_000, "a page with charts is not that small"
