package io.tributary.lake;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.HashMap;
import java.util.Map;
import org.apache.iceberg.PartitionSpec;
import org.apache.iceberg.Schema;
import org.apache.iceberg.Snapshot;
import org.apache.iceberg.SnapshotParser;
import org.apache.iceberg.TableMetadata;
import org.apache.iceberg.TableOperations;
import org.apache.iceberg.exceptions.ValidationException;
import org.apache.iceberg.io.FileIO;
import org.apache.iceberg.io.LocationProvider;
import org.apache.iceberg.types.Types;
import org.junit.jupiter.api.Test;

/** Which commits a table of the lake refuses. */
final class OnceOnlyOperationsTest {
    private static final String END_OF_INPUT = Long.toString(Long.MAX_VALUE);

    private final Recorder table = new Recorder();
    private final TableOperations operations = new OnceOnlyOperations(table);

    @Test
    void theNextCheckpointIsCommitted() {
        commit("job", "sink", "1");
        commit("job", "sink", "2");
        assertEquals(2, table.commits);
    }

    @Test
    void aCheckpointIsRefusedIfItIsCommittedAlready() {
        commit("job", "sink", "1");
        assertThrows(ValidationException.class, () -> commit("job", "sink", "1"));
        assertEquals(1, table.commits);
    }

    @Test
    void anEarlierCheckpointIsRefused() {
        commit("job", "sink", "2");
        assertThrows(ValidationException.class, () -> commit("job", "sink", "1"));
    }

    @Test
    void aCheckpointIsRefusedThoughOthersCommittedAfterIt() {
        commit("job", "sink", "1");
        commit(Map.of());
        commit("other job", "sink", "7");
        assertThrows(ValidationException.class, () -> commit("job", "sink", "1"));
    }

    @Test
    void numbersOfOtherJobsAndSinksDoNotCount() {
        commit("job", "sink", "5");
        commit("other job", "sink", "5");
        commit("job", "other sink", "5");
        assertEquals(3, table.commits);
    }

    @Test
    void theEndOfTheInputMayBeCommittedAgain() {
        commit("job", "sink", END_OF_INPUT);
        commit("job", "sink", END_OF_INPUT);
        assertEquals(2, table.commits);
    }

    @Test
    void aCommitWithoutANewSnapshotIsAllowed() {
        commit("job", "sink", "1");
        TableMetadata changed =
                TableMetadata.buildFrom(table.metadata).setProperties(Map.of("a", "b")).build();
        operations.commit(table.metadata, changed);
        assertEquals(2, table.commits);
    }

    private void commit(String job, String operator, String checkpoint) {
        commit(Map.of("flink.job-id",
                job,
                "flink.operator-id",
                operator,
                "flink.max-committed-checkpoint-id",
                checkpoint));
    }

    /** Commits a snapshot with this summary, as a sink does: on top of the newest metadata. */
    private void commit(Map<String, String> summary) {
        TableMetadata base = operations.refresh();
        TableMetadata.Builder next = TableMetadata.buildFrom(base);
        operations.commit(base, next.setBranchSnapshot(snapshot(base, summary), "main").build());
    }

    private static Snapshot snapshot(TableMetadata base, Map<String, String> summary) {
        long number = base.lastSequenceNumber() + 1;
        Map<String, String> all = new HashMap<>(summary);
        all.put("operation", "append");
        StringBuilder entries = new StringBuilder();
        all.forEach((key, value)
                            -> entries.append(entries.length() == 0 ? "" : ",")
                                    .append('"' + key + "\":\"" + value + '"'));
        String parent = base.currentSnapshot() == null
                ? ""
                : "\"parent-snapshot-id\":" + base.currentSnapshot().snapshotId() + ",";
        return SnapshotParser.fromJson("{\"snapshot-id\":" + number + "," + parent
                + "\"sequence-number\":" + number
                + ",\"timestamp-ms\":" + (base.lastUpdatedMillis() + 1) + ",\"summary\":{"
                + entries + "},\"manifest-list\":\"file\",\"schema-id\":0}");
    }

    /** A table in memory, which counts its commits. */
    private static final class Recorder implements TableOperations {
        private TableMetadata metadata = TableMetadata.newTableMetadata(
                new Schema(Types.NestedField.required(1, "id", Types.LongType.get())),
                PartitionSpec.unpartitioned(),
                "memory",
                Map.of());
        private int commits;

        @Override
        public void commit(TableMetadata base, TableMetadata next) {
            metadata = next;
            commits++;
        }

        @Override
        public TableMetadata current() {
            return metadata;
        }

        @Override
        public TableMetadata refresh() {
            return metadata;
        }

        @Override
        public FileIO io() {
            throw new UnsupportedOperationException();
        }

        @Override
        public String metadataFileLocation(String fileName) {
            throw new UnsupportedOperationException();
        }

        @Override
        public LocationProvider locationProvider() {
            throw new UnsupportedOperationException();
        }
    }
}
