package io.tributary.lake;

import org.apache.iceberg.TableOperations;
import org.apache.iceberg.catalog.TableIdentifier;
import org.apache.iceberg.jdbc.JdbcCatalog;

/** The lake's catalog. Its tables refuse a second commit of the same checkpoint. */
public final class OnceOnlyCatalog extends JdbcCatalog {
    @Override
    protected TableOperations newTableOps(TableIdentifier table) {
        return new OnceOnlyOperations(super.newTableOps(table));
    }
}
