-- An execution is stored at its end, and once more when feedback is given. Where no request of it was answered it spent nothing; else its
-- usage is unknown where one answer's is.
INSERT OR REPLACE INTO call BY NAME
SELECT
    one._id AS execution_id,
    (one.timestamp + to_seconds(coalesce(one.performance.execution_time, 0)))::TIMESTAMP AS logged_at,
    one.tags.automation_task_id AS task_id,
    one.tags.project_id,
    one.tags.department,
    one.tags.iteration,
    one.task_id AS definition,
    one.task_version AS version,
    coalesce(one.final_model, one.model, one.models_used[-1]) AS model,  -- the first is not in records of earlier releases
    if(one.status = 'succeeded', 'ok', one.status) AS status,
    one.error,
    one.attempts + one.retries AS attempts,
    one.reasks,
    if(answered, one.performance.prompt_tokens, 0) AS prompt_tokens,
    if(answered, one.performance.completion_tokens, 0) AS completion_tokens,
    if(answered, one.performance.cost, 0) AS cost,
    one.performance.execution_time AS latency_s,
    one.models_used,
    one.prompt_id,
    one.definition_hash,
    one.verification_results.method_used AS verification_method,
    one.verification_results.passed AS verification_passed,
    one.verification_results.confidence AS verification_confidence,
    one.fallback,
    one.cached,
    one.feedback->>'$.accepted' = 'true' AS accepted,
    (one.feedback->>'$.rating')::DOUBLE AS rating,
    one.feedback
FROM (
    SELECT unnest(from_json($1, '[{
        "_id": "VARCHAR", "timestamp": "TIMESTAMPTZ", "task_id": "VARCHAR", "task_version": "VARCHAR", "status": "VARCHAR",
        "error": "VARCHAR", "attempts": "BIGINT", "retries": "BIGINT", "reasks": "BIGINT",
        "prompt_id": "VARCHAR", "definition_hash": "VARCHAR", "fallback": "VARCHAR", "cached": "BOOLEAN", "feedback": "JSON",
        "verification_results": {"method_used": "VARCHAR", "passed": "BOOLEAN", "confidence": "DOUBLE"},
        "models_used": ["VARCHAR"], "model": "VARCHAR", "final_model": "VARCHAR", "calls": [{"answered_by": "VARCHAR"}],
        "tags": {"automation_task_id": "VARCHAR", "project_id": "VARCHAR", "department": "VARCHAR", "iteration": "BIGINT"},
        "performance": {"execution_time": "DOUBLE", "prompt_tokens": "BIGINT", "completion_tokens": "BIGINT", "cost": "DOUBLE"}
    }]')) AS one
), LATERAL (SELECT len(list_filter(one.calls, lambda call: call.answered_by IS NOT NULL)) > 0 AS answered);
