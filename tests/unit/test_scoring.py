"""Scores of attribution models against results computed by hand, and errors for bad files."""

import json

import pytest

from attribution_models.scoring import Credit, Score, read_truth, score_models
from configuration.errors import TributaryError

LINES = [
    json.dumps({"checkout_id": "one", "click_id": "a", "source": "google", "occurred_at_ms": 0}),
    json.dumps({"checkout_id": "two", "click_id": "c", "source": "tiktok", "occurred_at_ms": 9}),
]


def test_scores_equal_those_computed_by_hand() -> None:
    """`linear` has 1/2 and 1 on the causes of 2 checkouts: 0.75.

    It gives google 1/2 instead of 1, and tiktok 3/2 instead of 1: (1/2 + 1/2) / 2 = 0.5.
    """
    credits_given = [
        Credit("linear", "one", "a", "google", 0.5),
        Credit("linear", "one", "b", "tiktok", 0.5),
        Credit("linear", "two", "c", "tiktok", 1),
        Credit("linear", "somebody else's", "d", "google", 1),
        Credit("first_touch", "one", "b", "tiktok", 1),
        Credit("first_touch", "two", "e", "google", 1),
    ]
    assert score_models(read_truth(LINES), credits_given) == [
        Score("linear", 2, 0.75, 0.5),
        Score("first_touch", 2, 0, 0),
    ]


@pytest.mark.parametrize(("line", "named"), [("{", "line 3"), ("{}", "checkout_id|occurred_at_ms")])
def test_error_names_the_broken_line_or_the_missing_key(line: str, named: str) -> None:
    with pytest.raises(TributaryError, match=named):
        read_truth([*LINES, line])


def test_empty_truth_file_is_an_error() -> None:
    with pytest.raises(TributaryError, match="no checkout in it"):
        read_truth([])
