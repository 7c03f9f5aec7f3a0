"""The executor's tables in SQLite, one script per schema version."""

MIGRATIONS = [
    """
    CREATE TABLE owners (
        owner TEXT PRIMARY KEY,
        alive_until REAL NOT NULL
    ) WITHOUT ROWID;

    CREATE TABLE runs (
        number INTEGER PRIMARY KEY,
        run_id TEXT NOT NULL UNIQUE,
        tenant_id TEXT NOT NULL,
        flow_id TEXT NOT NULL,
        version INTEGER NOT NULL,
        trigger_id TEXT NOT NULL,
        port TEXT NOT NULL,
        event_id TEXT NOT NULL,
        correlation_id TEXT NOT NULL,
        caller TEXT NOT NULL,
        content BLOB NOT NULL,
        state INTEGER NOT NULL,
        epoch INTEGER NOT NULL,
        owner TEXT NOT NULL,
        seq INTEGER NOT NULL DEFAULT 0,
        steps INTEGER NOT NULL DEFAULT 0,
        pending INTEGER NOT NULL DEFAULT 1,
        failed INTEGER NOT NULL DEFAULT 0,
        created REAL NOT NULL,
        updated REAL NOT NULL,
        due REAL,
        suspended INTEGER NOT NULL DEFAULT 0,
        error TEXT NOT NULL DEFAULT '',
        deaths INTEGER NOT NULL DEFAULT 0,
        suspect TEXT NOT NULL DEFAULT ''
    );
    CREATE INDEX runs_of_flow ON runs (flow_id, number);
    CREATE INDEX runs_open ON runs (state, due) WHERE state < 4;
    CREATE INDEX runs_correlated ON runs (correlation_id) WHERE correlation_id <> run_id;

    CREATE TABLE journal (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        run_id TEXT NOT NULL,
        seq INTEGER NOT NULL,
        records BLOB NOT NULL
    );
    CREATE INDEX journal_of_run ON journal (run_id, seq);

    CREATE TABLE inbox (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        run_id TEXT NOT NULL,
        kind TEXT NOT NULL,
        delivery_id TEXT NOT NULL,
        content BLOB NOT NULL,
        UNIQUE (run_id, kind, delivery_id)
    );

    CREATE TABLE unprocessed (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        message_id TEXT NOT NULL UNIQUE,
        tenant_id TEXT NOT NULL,
        flow_id TEXT NOT NULL,
        node_id TEXT NOT NULL,
        run_id TEXT NOT NULL,
        correlation_id TEXT NOT NULL,
        messages BLOB NOT NULL,
        error BLOB NOT NULL,
        attempts INTEGER NOT NULL,
        created REAL NOT NULL
    );
    CREATE INDEX unprocessed_of_tenant ON unprocessed (tenant_id, flow_id);

    CREATE TABLE state (
        scope TEXT NOT NULL,
        key TEXT NOT NULL,
        value BLOB NOT NULL,
        PRIMARY KEY (scope, key)
    ) WITHOUT ROWID;

    CREATE TABLE state_changes (
        change_id TEXT PRIMARY KEY,
        run_id TEXT NOT NULL,
        result BLOB NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX state_changes_of_run ON state_changes (run_id);

    CREATE TABLE cursors (
        name TEXT PRIMARY KEY,
        number INTEGER NOT NULL
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE message_counts (
        tenant_id TEXT NOT NULL,
        flow_id TEXT NOT NULL,
        day INTEGER NOT NULL,
        count INTEGER NOT NULL,
        size INTEGER NOT NULL,
        PRIMARY KEY (tenant_id, flow_id, day)
    ) WITHOUT ROWID
    """,
    """
    ALTER TABLE runs ADD COLUMN waits_for TEXT NOT NULL DEFAULT '';
    CREATE INDEX runs_waiting_for ON runs (number) WHERE waits_for <> ''
    """,
    """
    ALTER TABLE unprocessed ADD COLUMN cause TEXT NOT NULL DEFAULT '';
    UPDATE unprocessed SET cause = lower(substr(CAST(error AS TEXT), 1, 500))
    """,
    """
    CREATE TABLE holds (
        name TEXT PRIMARY KEY,
        at REAL NOT NULL,
        by TEXT NOT NULL
    ) WITHOUT ROWID
    """,
]
