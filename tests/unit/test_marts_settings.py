"""The pipeline's settings, as the models of dbt get them."""

import pytest

from configuration.environment import marts_settings
from infra.services.model import Lakehouse
from tests.support.scratch import describe_scratch


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Lakehouse:
    return describe_scratch(tmp_path_factory.mktemp("own"))


@pytest.mark.parametrize(("checkpoint_seconds", "overlap_seconds"), [(5, 900), (600, 108_000)])
def test_build_looks_back_longer_if_checkpoints_are_rarer(
    own: Lakehouse, checkpoint_seconds: int, overlap_seconds: int
) -> None:
    pipeline = own.settings.pipeline
    flink = pipeline.flink.model_copy(update={"checkpoint_interval_seconds": checkpoint_seconds})
    changed = pipeline.model_copy(update={"flink": flink})
    settings = own.settings.model_copy(update={"pipeline": changed})
    assert marts_settings(settings)["RESTATEMENT_OVERLAP_SECONDS"] == str(overlap_seconds)
