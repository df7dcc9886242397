package io.tributary.lake;

import java.util.Map;
import org.apache.iceberg.Snapshot;
import org.apache.iceberg.TableMetadata;
import org.apache.iceberg.TableOperations;
import org.apache.iceberg.encryption.EncryptionManager;
import org.apache.iceberg.exceptions.ValidationException;
import org.apache.iceberg.io.FileIO;
import org.apache.iceberg.io.LocationProvider;
import org.apache.iceberg.util.SnapshotUtil;

/**
 * Commits to a table, but never the same checkpoint of a job twice.
 *
 * <p>Iceberg's sink asks once, at its start, which checkpoint was committed last. A commit that a
 * killed process sent may land after that. The sink would then refresh the table and append the
 * same files again (apache/iceberg#14425). This class asks again at each commit, in the metadata
 * that the commit replaces. PostgreSQL accepts the commit only if that metadata is still current,
 * so nothing can land in between.
 *
 * <p>A refused commit fails the job. When the job restarts, the sink sees that the checkpoint is
 * committed, and goes on after it.
 */
final class OnceOnlyOperations implements TableOperations {
    private static final String JOB = "flink.job-id";
    private static final String OPERATOR = "flink.operator-id";
    private static final String CHECKPOINT = "flink.max-committed-checkpoint-id";
    /** The sink commits everything under this number when a bounded input ends. */
    private static final long END_OF_INPUT = Long.MAX_VALUE;

    private final TableOperations table;

    OnceOnlyOperations(TableOperations table) {
        this.table = table;
    }

    @Override
    public void commit(TableMetadata base, TableMetadata metadata) {
        if (base != null && base.currentSnapshot() != null && metadata.currentSnapshot() != null) {
            refuseCommitted(base, metadata.currentSnapshot());
        }
        table.commit(base, metadata);
    }

    private static void refuseCommitted(TableMetadata base, Snapshot added) {
        Map<String, String> summary = added.summary();
        long checkpoint = checkpointOf(summary);
        boolean isAdded = base.snapshot(added.snapshotId()) == null;
        if (!isAdded || checkpoint < 0 || checkpoint == END_OF_INPUT) {
            return;
        }
        long newest = base.currentSnapshot().snapshotId();
        for (Snapshot snapshot : SnapshotUtil.ancestorsOf(newest, base::snapshot)) {
            if (isOfSameSink(snapshot.summary(), summary)) {
                ValidationException.check(checkpointOf(snapshot.summary()) < checkpoint,
                        "checkpoint %s of job %s is already committed to this table by snapshot %s",
                        checkpoint,
                        summary.get(JOB),
                        snapshot.snapshotId());
                return;
            }
        }
    }

    /** The checkpoint that the sink committed; -1 if it was not the sink. */
    private static long checkpointOf(Map<String, String> summary) {
        return Long.parseLong(summary.getOrDefault(CHECKPOINT, "-1"));
    }

    private static boolean isOfSameSink(Map<String, String> one, Map<String, String> other) {
        return one.containsKey(JOB) && one.get(JOB).equals(other.get(JOB))
                && one.containsKey(OPERATOR) && one.get(OPERATOR).equals(other.get(OPERATOR));
    }

    @Override
    public TableMetadata current() {
        return table.current();
    }

    @Override
    public TableMetadata refresh() {
        return table.refresh();
    }

    @Override
    public FileIO io() {
        return table.io();
    }

    @Override
    public EncryptionManager encryption() {
        return table.encryption();
    }

    @Override
    public String metadataFileLocation(String fileName) {
        return table.metadataFileLocation(fileName);
    }

    @Override
    public LocationProvider locationProvider() {
        return table.locationProvider();
    }

    @Override
    public TableOperations temp(TableMetadata uncommitted) {
        return table.temp(uncommitted);
    }

    @Override
    public long newSnapshotId() {
        return table.newSnapshotId();
    }

    @Override
    public boolean requireStrictCleanup() {
        return table.requireStrictCleanup();
    }
}
