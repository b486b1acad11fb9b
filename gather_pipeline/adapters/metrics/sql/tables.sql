-- What the document store knows of runs, a table a collection, each row under the key that the store knows it by. Times are UTC, NULL is
-- unknown, never zero. A change of any file that makes tables or views has the database made anew (table made_by).

CREATE TABLE made_by (scripts VARCHAR NOT NULL);
COMMENT ON TABLE made_by IS 'Hash of the SQL scripts that made this database';

CREATE TABLE cursor (
    database VARCHAR,
    collection VARCHAR,
    position VARCHAR NOT NULL,
    PRIMARY KEY (database, collection)
);
COMMENT ON TABLE cursor IS 'How far each collection of the store is taken in, written in the same transaction as the rows';

CREATE TABLE run (
    task_id VARCHAR PRIMARY KEY,
    logged_at TIMESTAMP,
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
    cost DOUBLE
);
COMMENT ON TABLE run IS
    'One automation task of a project; status is running, completed, cancelled or failed, and the counts of one that did not note its end are of what it committed';

CREATE TABLE iteration (
    project_id VARCHAR,
    department VARCHAR,
    iteration BIGINT,
    logged_at TIMESTAMP,
    task_id VARCHAR,
    quality DOUBLE,
    judged BOOLEAN,
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
    brain_s DOUBLE,
    duration_s DOUBLE,
    rung VARCHAR,
    ended_by VARCHAR,
    PRIMARY KEY (project_id, department, iteration)
);
COMMENT ON TABLE iteration IS 'One generate, de-duplicate, save, score round of a department; ended_by is set on its last';

CREATE TABLE call (
    execution_id VARCHAR PRIMARY KEY,
    logged_at TIMESTAMP,
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
    models_used VARCHAR[],
    prompt_id VARCHAR,
    definition_hash VARCHAR,
    verification_method VARCHAR,
    verification_passed BOOLEAN,
    verification_confidence DOUBLE,
    fallback VARCHAR,
    cached BOOLEAN,
    accepted BOOLEAN,
    rating DOUBLE,
    feedback JSON
);
COMMENT ON TABLE call IS
    'One execution of a task definition by a language model; status is ok, failed or cancelled, and without a project it is of tlm';

CREATE TABLE model_ranking (
    task_id VARCHAR,
    department VARCHAR,
    model VARCHAR,
    rank BIGINT,
    kind VARCHAR,
    updated_at TIMESTAMP,
    samples DOUBLE,
    score DOUBLE,
    quality DOUBLE,
    quality_low DOUBLE,
    quality_high DOUBLE,
    latency_s DOUBLE,
    latency_low_s DOUBLE,
    latency_high_s DOUBLE,
    cost DOUBLE,
    PRIMARY KEY (task_id, department, model)
);
COMMENT ON TABLE model_ranking IS 'A model''s place at a task; department is empty where it is of all executions';

CREATE TABLE event (
    project_id VARCHAR,
    sequence BIGINT,
    logged_at TIMESTAMP,
    task_id VARCHAR,
    type VARCHAR,
    payload JSON,
    PRIMARY KEY (project_id, sequence)
);
COMMENT ON TABLE event IS 'Copy of the progress events; the originals are in the project''s own database';
