"""The score of attribution models: worked out by hand, and errors that name the line."""

import json

import pytest

from attribution_models.scoring import Credit, Score, read_truth, score_models
from configuration.errors import TributaryError

LINES = [
    json.dumps({"checkout_id": "one", "click_id": "a", "source": "google", "occurred_at_ms": 0}),
    json.dumps({"checkout_id": "two", "click_id": "c", "source": "tiktok", "occurred_at_ms": 9}),
]


def test_scores_are_those_worked_out_by_hand_when_credits_are_few() -> None:
    """`linear`: 1/2 and 1 on the cause, of 2; google 1/2 for 1, tiktok 3/2 for 1: 1 by 2."""
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
def test_error_names_the_line_when_a_truth_is_broken(line: str, named: str) -> None:
    with pytest.raises(TributaryError, match=named):
        read_truth([*LINES, line])


def test_error_says_so_when_a_truth_is_empty() -> None:
    with pytest.raises(TributaryError, match="no checkout in it"):
        read_truth([])
