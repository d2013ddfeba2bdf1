CREATE TABLE codebeamer_event (
    number BIGSERIAL NOT NULL,
    server TEXT NOT NULL,
    tracker_id BIGINT NOT NULL,
    epoch BIGINT DEFAULT 0 NOT NULL,
    lineage TEXT,
    at DOUBLE PRECISION NOT NULL,
    kind TEXT NOT NULL,
    who TEXT DEFAULT '' NOT NULL,
    detail TEXT,
    PRIMARY KEY (number)
);

CREATE INDEX codebeamer_event_tracker ON codebeamer_event (server, tracker_id, number);

CREATE TABLE codebeamer_host (
    name TEXT NOT NULL,
    boot TEXT DEFAULT '' NOT NULL,
    since DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (name)
);

CREATE TABLE codebeamer_journal (
    number BIGSERIAL NOT NULL,
    scope TEXT NOT NULL,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    epoch BIGINT DEFAULT 0 NOT NULL,
    intent TEXT,
    begun_at DOUBLE PRECISION NOT NULL,
    outcome TEXT,
    finished_at DOUBLE PRECISION,
    PRIMARY KEY (number)
);

CREATE INDEX codebeamer_journal_scope ON codebeamer_journal (scope, number);

CREATE TABLE codebeamer_lock (
    server TEXT NOT NULL,
    tracker_id BIGINT NOT NULL,
    scope TEXT DEFAULT 'tracker' NOT NULL,
    epoch BIGINT DEFAULT 0 NOT NULL,
    state TEXT DEFAULT 'free' NOT NULL,
    owner_key TEXT DEFAULT '' NOT NULL,
    owner TEXT,
    reason TEXT DEFAULT '' NOT NULL,
    lineage TEXT,
    acquired_at DOUBLE PRECISION,
    lease_until DOUBLE PRECISION,
    lease_seq BIGINT DEFAULT 0 NOT NULL,
    hold_until DOUBLE PRECISION,
    breaking_by TEXT,
    breaking_reason TEXT,
    breaking_since DOUBLE PRECISION,
    dirty_put_until DOUBLE PRECISION,
    owner_died BOOLEAN DEFAULT false NOT NULL,
    fingerprint TEXT,
    exclusive_role TEXT DEFAULT '' NOT NULL,
    created_host TEXT DEFAULT '' NOT NULL,
    created_at DOUBLE PRECISION,
    changed_at DOUBLE PRECISION,
    PRIMARY KEY (server, tracker_id, scope)
);

CREATE INDEX codebeamer_lock_owner ON codebeamer_lock (owner_key);

CREATE TABLE codebeamer_membership (
    server TEXT NOT NULL,
    project_id BIGINT NOT NULL,
    role_id BIGINT NOT NULL,
    account TEXT NOT NULL,
    checked_at DOUBLE PRECISION NOT NULL,
    others TEXT NOT NULL,
    PRIMARY KEY (server, project_id, role_id, account)
);

CREATE TABLE codebeamer_role_journal (
    number BIGSERIAL NOT NULL,
    lineage TEXT NOT NULL,
    role_id BIGINT NOT NULL,
    role_name TEXT DEFAULT '' NOT NULL,
    original TEXT NOT NULL,
    base TEXT,
    floor TEXT,
    touched BOOLEAN DEFAULT false NOT NULL,
    phase TEXT DEFAULT '' NOT NULL,
    merged TEXT,
    observed TEXT,
    epoch BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (number),
    CONSTRAINT codebeamer_role_journal_role UNIQUE (lineage, role_id)
);

CREATE TABLE codebeamer_run (
    run_id TEXT NOT NULL,
    server TEXT NOT NULL,
    tracker_id BIGINT NOT NULL,
    lineage TEXT DEFAULT '' NOT NULL,
    epoch BIGINT DEFAULT 0 NOT NULL,
    owner_key TEXT DEFAULT '' NOT NULL,
    state TEXT NOT NULL,
    digest TEXT DEFAULT '' NOT NULL,
    summary TEXT,
    opened_at DOUBLE PRECISION NOT NULL,
    changed_at DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (run_id)
);

CREATE INDEX codebeamer_run_tracker ON codebeamer_run (server, tracker_id);
