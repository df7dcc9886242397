"""Run the models if they are due: `python -m attribution_models`. Housekeeping schedules it."""

import sys
from datetime import UTC, datetime, timedelta

from trino.exceptions import TrinoQueryError

from attribution_models.learning import learn
from configuration.errors import TributaryError
from configuration.secrets import load_secrets
from configuration.settings import load_settings
from configuration.trino_client import connect_trino


def main() -> None:
    """Run the models once if the last run is old enough."""
    settings = load_settings()
    marts = settings.pipeline.marts
    learn(
        connect_trino(settings, load_secrets(settings)),
        datetime.now(UTC),
        timedelta(minutes=marts.learning_interval_minutes),
        timedelta(hours=marts.learning_window_hours),
        marts.learning_min_conversions,
    )


if __name__ == "__main__":
    try:
        main()
    except TributaryError as error:
        sys.exit(f"learning: {error}")
    except TrinoQueryError as error:
        sys.exit(f"learning: {error.error_name}: {error.message}")
