"""The simulated shop: the tables hold what its summary says it sent."""

from reference.oracle import Valid
from tests.support.shop import Shop


def test_tables_match_the_producers_summary(shop: Shop) -> None:
    snapshot, run = shop.snapshot, shop.earlier
    for topic, said in run.summary["topics"].items():
        verdicts = [
            verdict for at, verdict in snapshot.verdicts.items() if at.topic == topic and at in run
        ]
        valid = [verdict for verdict in verdicts if isinstance(verdict, Valid)]
        in_tables = [at for at in snapshot.raw if at.topic == topic and at in run]
        in_quarantine = [at for at in snapshot.quarantine if at.topic == topic and at in run]
        ids = {next(iter(row.fields.values())) for row in valid}
        assert len(verdicts) == said["messages"]
        assert len(in_tables) == said["valid_distinct"] + said["duplicates"]
        assert len(ids) == said["valid_distinct"]
        assert len(in_quarantine) == sum(said["malformed"].values())
    assert run.summary["delivery_errors"] == {}
    snapshot.check()
