-- One table a kind of measurement. Every table has row_id ('<run id>:<n>', the key that makes ingestion happen once), logged_at (UTC)
-- and extra (fields that the table has no column for, or whose value does not fit their column). NULL is unknown, never zero.

CREATE TABLE ingested_file (
    name VARCHAR PRIMARY KEY,
    position BIGINT NOT NULL,
    rows BIGINT NOT NULL
);
COMMENT ON TABLE ingested_file IS 'How many bytes of each incoming file are in the tables, written in the same transaction as the rows';

CREATE TABLE run (
    row_id VARCHAR PRIMARY KEY,
    logged_at TIMESTAMP NOT NULL,
    task_id VARCHAR,
    project_id VARCHAR,
    status VARCHAR,
    reason VARCHAR,
    started_at TIMESTAMP,
    ended_at TIMESTAMP,
    processing_time_ms DOUBLE,
    queue_wait_s DOUBLE,
    iterations BIGINT,
    items_created BIGINT,
    departments_processed BIGINT,
    tokens BIGINT,
    cost DOUBLE,
    attempts BIGINT,
    retries BIGINT,
    extra JSON
);
COMMENT ON TABLE run IS 'One automation task of a project, written at its end';

CREATE TABLE iteration (
    row_id VARCHAR PRIMARY KEY,
    logged_at TIMESTAMP NOT NULL,
    task_id VARCHAR,
    project_id VARCHAR,
    department VARCHAR,
    iteration BIGINT,
    number_in_run BIGINT,
    quality DOUBLE,
    threshold DOUBLE,
    coverage DOUBLE,
    depth DOUBLE,
    coherence DOUBLE,
    actionability DOUBLE,
    items_generated BIGINT,
    items_created BIGINT,
    duplicates_dropped BIGINT,
    filtered_dropped BIGINT,
    model VARCHAR,
    tokens BIGINT,
    cost DOUBLE,
    generate_s DOUBLE,
    deduplicate_s DOUBLE,
    save_s DOUBLE,
    score_s DOUBLE,
    context_s DOUBLE,
    duration_s DOUBLE,
    rung VARCHAR,
    ended_by VARCHAR,
    extra JSON
);
COMMENT ON TABLE iteration IS 'One generate, de-duplicate, save, score round of a department; ended_by is set on its last';

CREATE TABLE call (
    row_id VARCHAR PRIMARY KEY,
    logged_at TIMESTAMP NOT NULL,
    task_id VARCHAR,
    project_id VARCHAR,
    department VARCHAR,
    iteration BIGINT,
    definition VARCHAR,
    version VARCHAR,
    model VARCHAR,
    status VARCHAR,
    error VARCHAR,
    attempts BIGINT,
    reasks BIGINT,
    prompt_tokens BIGINT,
    completion_tokens BIGINT,
    cost DOUBLE,
    latency_s DOUBLE,
    extra JSON
);
COMMENT ON TABLE call IS 'One execution of a task definition by a language model; status is ok, failed or cancelled';

CREATE TABLE timing (
    row_id VARCHAR PRIMARY KEY,
    logged_at TIMESTAMP NOT NULL,
    task_id VARCHAR,
    project_id VARCHAR,
    what VARCHAR,
    seconds DOUBLE,
    count BIGINT,
    extra JSON
);
COMMENT ON TABLE timing IS 'Seconds spent in count calls of one operation, e.g. store.find, store.insert, brain.context, embed';

CREATE TABLE event (
    row_id VARCHAR PRIMARY KEY,
    logged_at TIMESTAMP NOT NULL,
    task_id VARCHAR,
    project_id VARCHAR,
    sequence BIGINT,
    type VARCHAR,
    payload JSON,
    extra JSON
);
COMMENT ON TABLE event IS 'Copy of the progress events; the originals are in the project''s own database';

CREATE TABLE generic (
    row_id VARCHAR PRIMARY KEY,
    logged_at TIMESTAMP,
    kind VARCHAR NOT NULL,
    fields JSON
);
COMMENT ON TABLE generic IS 'Rows of every other kind; kind malformed holds whole lines that are not measurements';
