"""The planted truth: each line names a click on the checkout's product, in the same session."""

import io
import json
from collections import Counter
from dataclasses import replace
from itertools import islice

from producer.catalogue import CAUSAL_WEIGHTS
from producer.messages import Fate
from producer.plan import Plan
from producer.stream import generate_messages
from producer.truth import TruthFile
from tests.support.sample_run import MESSAGE_COUNT, SampleRun


def test_truth_names_a_click_on_the_product_in_the_same_session(plan: Plan) -> None:
    told = io.BytesIO()
    planted = replace(plan, has_truth=True)
    messages = generate_messages(planted, note=TruthFile(told).note)
    run = SampleRun(None, planted, list(islice(messages, MESSAGE_COUNT)))  # type: ignore[arg-type]
    clicks = {body["event_id"]: body for body in run.bodies(plan.clickstream_topic)}
    checkouts = {
        body["checkout_id"]: body for body in run.bodies(plan.checkouts_topic, Fate.IN_ORDER)
    }
    lines = [json.loads(line) for line in told.getvalue().splitlines()]
    known = [line for line in lines if line["checkout_id"] in checkouts]
    both = [line for line in known if line["click_id"] in clicks]
    assert len(both) > 300
    for line in both:
        click, checkout = clicks[line["click_id"]], checkouts[line["checkout_id"]]
        assert click["session_id"] == checkout["session_id"]
        assert click["product_id"] == checkout["product_id"]
        assert click["source"] == line["source"]
        assert line["causal_weight"] == CAUSAL_WEIGHTS[line["source"]]
    clicked = Counter(body["source"] for body in clicks.values() if body["event_type"] == "click")
    caused = Counter(line["source"] for line in both)
    assert caused["newsletter"] / clicked["newsletter"] > 2 * caused["tiktok"] / clicked["tiktok"]


def test_noting_causes_does_not_change_messages(plan: Plan) -> None:
    noted = generate_messages(plan, note=TruthFile(io.BytesIO()).note)
    assert list(islice(noted, 2_000)) == list(islice(generate_messages(plan), 2_000))
