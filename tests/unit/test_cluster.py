"""Finding the job's newest restore point while the object store is down."""

from pathlib import Path

import pytest

from flink_jobs.cluster import ClusterError, find_newest_restore_point
from tests.support.scratch import describe_scratch


def test_error_names_the_store_and_a_remedy_when_the_store_does_not_answer(
    tmp_path: Path,
) -> None:
    scratch = describe_scratch(tmp_path)
    with pytest.raises(ClusterError, match="make logs SERVICE=minio") as failed:
        find_newest_restore_point(scratch.settings, scratch.secrets)
    assert scratch.settings.topology.s3.authority in str(failed.value)
