"""The simulated shop: what it says that it sent is what the tables hold."""

from reference.oracle import Valid
from tests.e2e.conftest import Run
from tests.support.lake import Lake


def test_tables_have_the_producers_own_count_when_it_has_ended(lake: Lake, produced: Run) -> None:
    snapshot = lake.read()
    for topic, said in produced.summary["topics"].items():
        verdicts = [
            verdict
            for at, verdict in snapshot.verdicts.items()
            if at.topic == topic and at in produced
        ]
        valid = [verdict for verdict in verdicts if isinstance(verdict, Valid)]
        in_tables = [at for at in snapshot.raw if at.topic == topic and at in produced]
        in_quarantine = [at for at in snapshot.quarantine if at.topic == topic and at in produced]
        ids = {next(iter(row.fields.values())) for row in valid}
        assert len(verdicts) == said["messages"]
        assert len(in_tables) == said["valid_distinct"] + said["duplicates"]
        assert len(ids) == said["valid_distinct"]
        assert len(in_quarantine) == sum(said["malformed"].values())
    assert produced.summary["delivery_errors"] == {}
    snapshot.check()
