"""What a person is told when a build of the marts fails."""

from infra.marts import name_remedy
from infra.settings import load_settings

# Trino's answer to ten days from scratch, as dbt passes it on.
REFUSED = (
    "TrinoQueryError(type=INSUFFICIENT_RESOURCES, name=EXCEEDED_LOCAL_MEMORY_LIMIT,"
    ' message="Query exceeded per-node memory limit of 296.96MB", query_id=20261127_212110_01549)'
)


def test_key_value_and_remedy_are_named_when_trino_refuses_a_build_for_its_memory() -> None:
    settings = load_settings()
    remedy = name_remedy(["", REFUSED], settings)
    assert f"heap_mb of [trino] is {settings.topology.trino.heap_mb}" in remedy
    assert str(settings.topology_file) in remedy
    assert "raise it" in remedy


def test_nothing_is_advised_when_a_build_fails_for_another_reason() -> None:
    assert name_remedy(["", "line 1:8: Column 'a' cannot be resolved"], load_settings()) == ""
