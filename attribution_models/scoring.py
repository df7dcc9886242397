"""How much of a planted truth the attribution models recover: compares credits with causes.

The truth is the file that the simulated shop wrote with `--truth` (producer/truth.py). Only its
paid checkouts that have touchpoints in the lake are compared.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from configuration.errors import TributaryError
from configuration.trino_client import TrinoClient

SQL = Path(__file__).with_name("sql")
# A late checkout is dated up to this long before it happened.
LATENESS = timedelta(hours=1)


class Cause(NamedTuple):
    """The click that caused a checkout, and when the checkout happened."""

    click_id: str
    source: str
    occurred_at: datetime


class Credit(NamedTuple):
    """The credit that a model gives to a touchpoint; columns as in int_touchpoint_credits."""

    model: str
    checkout_id: str
    click_id: str
    source: str
    credit: float


class Score(NamedTuple):
    """How close a model is to the truth.

    Attributes:
        checkout_count: number of paid checkouts compared.
        share_on_cause: share of their credit that goes to the click that caused them; 0..1, higher
            is better.
        source_distance: sum over sources of the difference between the model's and the true share
            of the checkouts; 0..2, lower is better.
    """

    model: str
    checkout_count: int
    share_on_cause: float
    source_distance: float


def read_truth(lines: Iterable[str]) -> dict[str, Cause]:
    """Read the causes, by checkout_id.

    Raises:
        TributaryError: the file is not a truth file, or it is empty.
    """
    truth = {}
    for number, line in enumerate(lines, start=1):
        try:
            told = json.loads(line)
            occurred_at = datetime.fromtimestamp(told["occurred_at_ms"] / 1000, UTC)
            truth[told["checkout_id"]] = Cause(told["click_id"], told["source"], occurred_at)
        except (ValueError, KeyError, TypeError) as error:
            raise TributaryError(
                f"TRUTH, line {number}: {error!r}; give a file of `python -m producer --truth`"
            ) from None
    if not truth:
        raise TributaryError("TRUTH: the file has no checkout in it; run the producer for longer")
    return truth


def read_credits(trino: TrinoClient, truth: Mapping[str, Cause]) -> list[Credit]:
    """Read the credits of all paid checkouts in the time range of the truth.

    Includes checkouts that the truth does not name.
    """
    times = [cause.occurred_at for cause in truth.values()]
    hours = (min(times) - LATENESS, max(times))
    statement = (SQL / "5_credits.sql").read_text()
    return [
        Credit(model, checkout_id, click_id, source, float(credit))
        for model, checkout_id, click_id, source, credit in trino.query(
            statement, [_start_of_hour(each) for each in hours]
        )
    ]


def score_models(truth: Mapping[str, Cause], credits_given: Iterable[Credit]) -> list[Score]:
    """A score for each model, highest share_on_cause first."""
    by_model: dict[str, list[Credit]] = defaultdict(list)
    for credit in credits_given:
        if credit.checkout_id in truth:
            by_model[credit.model].append(credit)
    scores = [_score(model, truth, rows) for model, rows in by_model.items()]
    return sorted(scores, key=lambda score: (-score.share_on_cause, score.model))


def _score(model: str, truth: Mapping[str, Cause], rows: list[Credit]) -> Score:
    checkouts = {row.checkout_id for row in rows}
    true_sources = Counter(truth[checkout].source for checkout in checkouts)
    credited: dict[str, float] = defaultdict(float)
    on_cause = 0.0
    for row in rows:
        credited[row.source] += row.credit
        if row.click_id == truth[row.checkout_id].click_id:
            on_cause += row.credit
    distance = sum(
        abs(credited[source] - true_sources[source]) for source in credited.keys() | true_sources
    )
    return Score(model, len(checkouts), on_cause / len(checkouts), distance / len(checkouts))


def _start_of_hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
