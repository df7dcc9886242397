"""When each row became visible: the time of the snapshot that added it."""

from collections.abc import Iterator
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.manifest import ManifestEntryStatus
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Operation, Snapshot

from configuration.secrets import load_secrets
from configuration.settings import Settings
from flink_jobs.lake_tables import open_catalog


class Seen(NamedTuple):
    """An on-time event: when it occurred and when it became visible, in epoch seconds."""

    occurred_at: float
    visible_at: float

    @property
    def age_seconds(self) -> float:
        """The event's age when it became visible."""
        return self.visible_at - self.occurred_at


def read_visibility(settings: Settings, since: float) -> list[Seen]:
    """Every on-time event of the raw tables committed after `since`, in order of event time."""
    catalog = open_catalog(settings, load_secrets(settings))
    return sorted(
        seen
        for name in ("raw.clickstream", "raw.checkouts")
        for seen in _read_table(catalog.load_table(name), since)
    )


def _read_table(table: Table, since: float) -> Iterator[Seen]:
    for snapshot in table.snapshots():
        visible_at = snapshot.timestamp_ms / 1000
        assert snapshot.summary
        # Other snapshots merge files, whose rows were visible before.
        if visible_at >= since and snapshot.summary.operation == Operation.APPEND:
            for path in _added_files(table, snapshot):
                yield from (Seen(at, visible_at) for at in _occurred(table, path))


def _added_files(table: Table, snapshot: Snapshot) -> Iterator[str]:
    for manifest in snapshot.manifests(table.io):
        if manifest.added_snapshot_id == snapshot.snapshot_id:
            for entry in manifest.fetch_manifest_entry(table.io):
                if entry.status == ManifestEntryStatus.ADDED:
                    yield entry.data_file.file_path


def _occurred(table: Table, path: str) -> list[float]:
    with table.io.new_input(path).open() as file:
        rows = pq.read_table(pa.PythonFile(file), columns=["occurred_at", "is_late"])
    return [row["occurred_at"].timestamp() for row in rows.to_pylist() if not row["is_late"]]
