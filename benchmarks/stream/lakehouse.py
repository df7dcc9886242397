"""A benchmark's own lakehouse: starts the wanted services, stops them at the end."""

import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from configuration.settings import Settings, load_settings
from infra.install.progress import Reporter
from infra.operations.offsets import OffsetsError, read_progress
from infra.services.model import Lakehouse
from infra.topologies.native import bring_up, take_down
from infra.topologies.scratch import write_changed_settings, write_scratch_topology

# Nothing may be late, so a partition that this machine reads slowly must not count as idle.
CHANGES = {"late_share": "0", "idle_timeout_seconds": "3600"}


@contextmanager
def own_lakehouse(
    state: Path, wanted: Collection[str], changes: Mapping[str, str] | None = None
) -> Iterator[tuple[Lakehouse, dict[str, str]]]:
    """Run a lakehouse where nothing is late; yield it and the environment for its clients.

    `changes` overrides settings. The state folder stays, so that the next run finds the messages
    already sent; remove it to start over.
    """
    state.mkdir(exist_ok=True)
    topology, pipeline = state / "topology.toml", state / "tributary.toml"
    if not topology.exists():
        write_scratch_topology(topology, state.name)
    write_changed_settings(pipeline, {**CHANGES, **(changes or {})})
    os.environ["TRIBUTARY_TOPOLOGY"] = str(topology)
    os.environ["TRIBUTARY_SETTINGS"] = str(pipeline)
    os.environ["PRODUCER"] = "off"
    settings = load_settings()
    try:
        yield bring_up(settings, wanted), dict(os.environ)
    finally:
        with Reporter() as reporter:
            take_down(settings, reporter)


def has_read_all(settings: Settings) -> bool:
    """Whether the job's last checkpoint covers all messages of both event topics."""
    try:
        return sum(each.lag for each in read_progress(settings)) == 0
    except OffsetsError:
        return False  # A new broker elects the group's coordinator only at the first request.
