"""Finding the job's newest restore point while the object store is down."""

from pathlib import Path

import pytest

from configuration.secrets import ensure_secrets
from configuration.settings import load_settings
from flink_jobs.cluster import ClusterError, find_newest_restore_point
from infra.topologies.scratch import write_scratch_topology


def test_error_names_the_store_and_a_remedy_when_the_store_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    topology, state = tmp_path / "topology.toml", tmp_path / "state"
    state.mkdir()
    write_scratch_topology(topology, str(state))
    monkeypatch.setenv("TRIBUTARY_TOPOLOGY", str(topology))
    settings = load_settings()
    with pytest.raises(ClusterError, match="make logs SERVICE=minio") as failed:
        find_newest_restore_point(settings, ensure_secrets(settings))
    assert settings.topology.s3.authority in str(failed.value)
