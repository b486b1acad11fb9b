-- Runs as they stand now: one that has changed is written over its last state.
INSERT OR REPLACE INTO run BY NAME
SELECT
    run._id AS task_id,
    coalesce(run.ended_at, run.started_at)::TIMESTAMP AS logged_at,
    run.project_id,
    run.status,
    run.reason,
    run.started_at::TIMESTAMP AS started_at,
    run.ended_at::TIMESTAMP AS ended_at,
    run.processing_time_ms,
    run.queue_wait_s,
    run.iterations,
    run.items_created,
    run.departments_processed,
    run.tokens,
    run.cost
FROM (
    SELECT unnest(from_json($1, '[{
        "_id": "VARCHAR", "project_id": "VARCHAR", "status": "VARCHAR", "reason": "VARCHAR",
        "started_at": "TIMESTAMPTZ", "ended_at": "TIMESTAMPTZ", "processing_time_ms": "DOUBLE", "queue_wait_s": "DOUBLE",
        "iterations": "BIGINT", "items_created": "BIGINT", "departments_processed": "BIGINT", "tokens": "BIGINT", "cost": "DOUBLE"
    }]')) AS run
)
WHERE NOT EXISTS (
    FROM run AS taken
    WHERE taken.task_id = run._id AND taken.status = run.status AND taken.ended_at = run.ended_at::TIMESTAMP
);
