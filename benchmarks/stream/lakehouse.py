"""A lakehouse of a benchmark's own: brought up as far as wanted, stopped at the end."""

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

# Nothing may be late: a partition that this machine is slow to read is not idle.
CHANGES = {"late_share": "0", "idle_timeout_seconds": "3600"}


@contextmanager
def own_lakehouse(
    state: Path, wanted: Collection[str], changes: Mapping[str, str] | None = None
) -> Iterator[tuple[Lakehouse, dict[str, str]]]:
    """A running lakehouse where nothing is late, and the environment that leads to it.

    `changes` are settings of its own. Its state folder stays, so that the next run finds its
    messages; remove it to begin anew.
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
    """Whether the job's last checkpoint has all that is in both topics of events."""
    try:
        return sum(each.lag for each in read_progress(settings)) == 0
    except OffsetsError:
        return False  # A new broker chooses the group's coordinator when it is first asked.
