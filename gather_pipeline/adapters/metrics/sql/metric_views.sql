-- One view a metric of S001-MET-07 to 19. Times are seconds unless the name says otherwise; NULL is unknown.

CREATE VIEW task_execution_time AS
SELECT project_id, task_id, status, reason, started_at, ended_at, processing_time_ms / 1000 AS seconds
FROM run
ORDER BY started_at, logged_at;
COMMENT ON VIEW task_execution_time IS 'S001-MET-07: how long each task took';

CREATE VIEW success_rate AS
SELECT
    project_id,
    count(*) AS runs,
    count(*) FILTER (status = 'completed') AS completed,
    count(*) FILTER (status = 'cancelled') AS cancelled,
    count(*) FILTER (status = 'failed') AS failed,
    count(*) FILTER (status = 'running') AS running,
    count(*) FILTER (status = 'completed') / nullif(count(*) FILTER (status <> 'running'), 0) AS success_rate,
    count(*) FILTER (status = 'failed') / nullif(count(*) FILTER (status <> 'running'), 0) AS failure_rate
FROM run
GROUP BY project_id
ORDER BY project_id;
COMMENT ON VIEW success_rate IS 'S001-MET-08: share of a project''s ended tasks that completed and that failed, 0 to 1; the rest was cancelled. A killed one has failed';

CREATE VIEW retry_attempts AS
SELECT
    project_id,
    department,
    definition,
    model,
    count(*) AS calls,
    sum(attempts)::BIGINT AS attempts,
    sum(if(attempts > 0, attempts - 1, attempts))::BIGINT AS retries,
    sum(reasks)::BIGINT AS reasks,
    count(*) FILTER (status = 'failed') AS failed
FROM call
GROUP BY ALL
ORDER BY ALL;
COMMENT ON VIEW retry_attempts IS
    'S001-MET-09: requests beyond the first of a model call (retries), answers asked for again because they did not fit (reasks), calls given up';

CREATE VIEW queue_wait_time AS
SELECT
    project_id,
    count(*) AS runs,
    count(queue_wait_s) AS known,
    count(*) - count(queue_wait_s) AS unknown,
    avg(queue_wait_s) AS average_s,
    min(queue_wait_s) AS shortest_s,
    max(queue_wait_s) AS longest_s
FROM run
GROUP BY project_id
ORDER BY project_id;
COMMENT ON VIEW queue_wait_time IS 'S001-MET-10: how long tasks waited in the queue; a run started outside the queue counts as unknown';

CREATE VIEW iterations_per_department AS
WITH per_run AS (
    SELECT project_id, department, task_id, count(*) AS iterations
    FROM iteration
    GROUP BY ALL
)
SELECT
    project_id,
    department,
    count(*) AS runs,
    sum(iterations)::BIGINT AS iterations,
    avg(iterations) AS average,
    min(iterations) AS fewest,
    max(iterations) AS most
FROM per_run
GROUP BY GROUPING SETS ((project_id, department), (project_id), ())
HAVING count(*) > 0
ORDER BY project_id NULLS FIRST, department NULLS FIRST;
COMMENT ON VIEW iterations_per_department IS
    'S001-MET-11: iterations that one department took in one run; department NULL is all departments of the project, project_id NULL all projects';

CREATE VIEW items_per_iteration AS
SELECT
    project_id,
    department,
    count(*) AS iterations,
    sum(items_generated)::BIGINT AS items_generated,
    sum(items_created)::BIGINT AS items_created,
    avg(items_created) AS average,
    min(items_created) AS fewest,
    max(items_created) AS most
FROM iteration
GROUP BY ALL
ORDER BY ALL;
COMMENT ON VIEW items_per_iteration IS 'S001-MET-12: items that an iteration created, after duplicates and filtered texts were dropped';

CREATE VIEW quality_progression AS
SELECT
    project_id,
    department,
    iteration,
    logged_at,
    quality,
    quality - lag(quality) OVER (PARTITION BY project_id, department ORDER BY iteration) AS gain,
    judged,
    threshold,
    quality >= threshold AS reached,
    coverage,
    depth,
    coherence,
    actionability,
    rung,
    task_id
FROM iteration
ORDER BY project_id, department, iteration;
COMMENT ON VIEW quality_progression IS 'S001-MET-13: quality (0 to 100) with its parts after each iteration, and the gain over the one before';

CREATE VIEW duplicate_rate AS
SELECT
    project_id,
    department,
    sum(items_generated)::BIGINT AS generated,
    sum(items_created)::BIGINT AS kept,
    sum(duplicates_dropped)::BIGINT AS duplicates,
    sum(filtered_dropped)::BIGINT AS filtered,
    sum(duplicates_dropped) / nullif(sum(items_generated), 0) AS duplicate_rate
FROM iteration
GROUP BY ALL
ORDER BY ALL;
COMMENT ON VIEW duplicate_rate IS 'S001-MET-14: share of the generated texts that were dropped as duplicates, 0 to 1; NULL where nothing was generated';

CREATE VIEW time_to_threshold AS
WITH first_reached AS (
    SELECT project_id, department, min(iteration) FILTER (quality >= threshold) AS reached_at
    FROM iteration
    GROUP BY ALL
)
SELECT
    f.project_id,
    f.department,
    f.reached_at IS NOT NULL AS reached,
    f.reached_at AS iterations,
    sum(i.duration_s) FILTER (i.iteration <= f.reached_at) AS seconds,
    sum(i.duration_s) AS seconds_worked
FROM first_reached AS f
JOIN iteration AS i USING (project_id, department)
GROUP BY ALL
ORDER BY f.project_id, f.department;
COMMENT ON VIEW time_to_threshold IS
    'S001-MET-15: seconds of work until a department first reached its threshold, pauses between runs left out; NULL where it has not';

CREATE VIEW store_query_time AS
SELECT
    project_id,
    'store.save_iteration' AS what,
    count(save_s) AS calls,
    sum(save_s) AS seconds,
    1000 * avg(save_s) AS average_ms,
    1000 * max(save_s) AS slowest_ms
FROM iteration
WHERE save_s IS NOT NULL
GROUP BY project_id
ORDER BY project_id;
COMMENT ON VIEW store_query_time IS
    'S001-MET-16: time in which the document store (MongoDB or SQLite) takes an iteration''s items, embeddings, decisions and executions';

CREATE VIEW brain_response_time AS
SELECT
    project_id,
    'brain.answers' AS what,
    count(brain_s) AS calls,
    sum(brain_s) AS seconds,
    1000 * avg(brain_s) AS average_ms,
    1000 * max(brain_s) AS slowest_ms
FROM iteration
WHERE brain_s IS NOT NULL
GROUP BY project_id
ORDER BY project_id;
COMMENT ON VIEW brain_response_time IS
    'S001-MET-17: time in which an iteration waits for what the brain answers, the service or the local index';

CREATE VIEW llm_generation_time AS
SELECT
    project_id,
    department,
    definition,
    model,
    count(*) AS calls,
    sum(latency_s) AS seconds,
    avg(latency_s) AS average_s,
    median(latency_s) AS median_s,
    quantile_cont(latency_s, 0.95) AS p95_s,
    max(latency_s) AS slowest_s
FROM call
WHERE latency_s IS NOT NULL
GROUP BY project_id, department, definition, model
ORDER BY project_id, department, definition, model;
COMMENT ON VIEW llm_generation_time IS 'S001-MET-18: time from request to answer of model calls; calls run side by side, so seconds exceed the wall clock';

CREATE VIEW deduplication_time AS
SELECT
    project_id,
    department,
    count(deduplicate_s) AS iterations,
    sum(deduplicate_s) AS seconds,
    avg(deduplicate_s) AS average_s,
    max(deduplicate_s) AS slowest_s,
    1000 * sum(deduplicate_s) / nullif(sum(items_generated), 0) AS average_ms_per_item
FROM iteration
WHERE deduplicate_s IS NOT NULL
GROUP BY project_id, department
ORDER BY project_id, department;
COMMENT ON VIEW deduplication_time IS 'S001-MET-19: time of finding duplicates among an iteration''s texts';

CREATE VIEW tokens_and_cost AS
SELECT
    project_id,
    department,
    model,
    count(*) AS calls,
    sum(prompt_tokens)::BIGINT AS prompt_tokens,
    sum(completion_tokens)::BIGINT AS completion_tokens,
    (
        sum(coalesce(prompt_tokens, 0) + coalesce(completion_tokens, 0))
        FILTER (prompt_tokens IS NOT NULL OR completion_tokens IS NOT NULL)
    )::BIGINT AS tokens,
    count(*) FILTER (prompt_tokens IS NULL OR completion_tokens IS NULL) AS calls_with_unknown_tokens,
    sum(cost) AS cost,
    count(*) FILTER (cost IS NULL) AS calls_with_unknown_cost
FROM call
GROUP BY project_id, department, model
ORDER BY project_id, department, model;
COMMENT ON VIEW tokens_and_cost IS
    'Tokens and US dollars of model calls: sums of what is known, with the calls whose tokens or cost are unknown counted apart';

CREATE VIEW task_executions AS
SELECT
    execution_id,
    definition AS task_id,
    version AS task_version,
    if(status = 'ok', 'succeeded', status) AS status,
    models_used,
    verification_method AS method_used,
    verification_passed AS passed,
    verification_confidence AS confidence,
    latency_s AS execution_time,
    prompt_tokens + completion_tokens AS tokens_used,
    cost,
    (logged_at - to_seconds(coalesce(latency_s, 0)))::TIMESTAMP AS timestamp,
    feedback,
    accepted,
    rating,
    model,
    prompt_id,
    fallback,
    cached,
    attempts,
    reasks,
    error,
    project_id,
    department,
    iteration
FROM call
ORDER BY timestamp;
COMMENT ON VIEW task_executions IS 'S004-LOG: every execution of a task; inputs and outputs stay in the store';

CREATE VIEW model_rankings AS
SELECT * REPLACE (nullif(department, '') AS department)
FROM model_ranking
ORDER BY task_id, department NULLS FIRST, rank;
COMMENT ON VIEW model_rankings IS
    'S004-LRN: models of each task, the best first, with 90% intervals; cost in US dollars an execution, NULL where it is unknown';

CREATE VIEW exported AS
WITH sample (metric, project, department, definition, model, status, statistic, events, value) AS (
    SELECT 'gather_task_execution_seconds', project_id, NULL, NULL, NULL, status, NULL, count(*), sum(seconds)
    FROM task_execution_time
    WHERE seconds IS NOT NULL
    GROUP BY project_id, status
    UNION ALL
    SELECT 'gather_tasks_total', project_id, NULL, NULL, NULL, status, NULL, NULL, count(*) FROM run GROUP BY project_id, status
    UNION ALL
    SELECT 'gather_task_success_ratio', project_id, NULL, NULL, NULL, NULL, NULL, NULL, success_rate FROM success_rate
    UNION ALL
    SELECT 'gather_task_failure_ratio', project_id, NULL, NULL, NULL, NULL, NULL, NULL, failure_rate FROM success_rate
    UNION ALL
    SELECT 'gather_retries_total', project_id, department, definition, model, NULL, NULL, NULL, retries FROM retry_attempts
    UNION ALL
    SELECT 'gather_reasks_total', project_id, department, definition, model, NULL, NULL, NULL, reasks FROM retry_attempts
    UNION ALL
    SELECT 'gather_calls_given_up_total', project_id, department, definition, model, NULL, NULL, NULL, failed FROM retry_attempts
    UNION ALL
    SELECT 'gather_queue_wait_seconds', project_id, NULL, NULL, NULL, NULL, NULL, known, average_s * known FROM queue_wait_time
    WHERE known > 0
    UNION ALL
    SELECT 'gather_iterations_per_department', project_id, department, NULL, NULL, NULL, statistic, NULL, value
    FROM (SELECT project_id, department, average AS avg, fewest::DOUBLE AS min, most::DOUBLE AS max FROM iterations_per_department)
    UNPIVOT (value FOR statistic IN (avg, min, max))
    WHERE department IS NOT NULL
    UNION ALL
    SELECT 'gather_iterations_total', project_id, department, NULL, NULL, NULL, NULL, NULL, iterations FROM items_per_iteration
    UNION ALL
    SELECT 'gather_items_created_total', project_id, department, NULL, NULL, NULL, NULL, NULL, items_created FROM items_per_iteration
    UNION ALL
    SELECT 'gather_items_per_iteration', project_id, department, NULL, NULL, NULL, statistic, NULL, value
    FROM (SELECT project_id, department, average AS avg, fewest::DOUBLE AS min, most::DOUBLE AS max FROM items_per_iteration)
    UNPIVOT (value FOR statistic IN (avg, min, max))
    UNION ALL
    SELECT 'gather_quality_score', project_id, department, NULL, NULL, NULL, NULL, NULL, arg_max(quality, iteration)
    FROM quality_progression GROUP BY project_id, department
    UNION ALL
    SELECT 'gather_quality_threshold', project_id, department, NULL, NULL, NULL, NULL, NULL, arg_max(threshold, iteration)
    FROM quality_progression GROUP BY project_id, department
    UNION ALL
    SELECT 'gather_duplicate_ratio', project_id, department, NULL, NULL, NULL, NULL, NULL, duplicate_rate FROM duplicate_rate
    UNION ALL
    SELECT 'gather_time_to_threshold_seconds', project_id, department, NULL, NULL, NULL, NULL, NULL, seconds FROM time_to_threshold
    UNION ALL
    SELECT 'gather_store_query_seconds', project_id, NULL, NULL, NULL, NULL, NULL, calls, seconds FROM store_query_time
    UNION ALL
    SELECT 'gather_brain_response_seconds', project_id, NULL, NULL, NULL, NULL, NULL, calls, seconds FROM brain_response_time
    UNION ALL
    SELECT 'gather_llm_generation_seconds', project_id, department, definition, model, NULL, NULL, calls, seconds FROM llm_generation_time
    UNION ALL
    SELECT 'gather_deduplication_seconds', project_id, department, NULL, NULL, NULL, NULL, iterations, seconds FROM deduplication_time
    UNION ALL
    SELECT 'gather_tokens_total', project_id, department, NULL, model, NULL, NULL, NULL, tokens FROM tokens_and_cost
    UNION ALL
    SELECT 'gather_cost_dollars_total', project_id, department, NULL, model, NULL, NULL, NULL, cost FROM tokens_and_cost
)
SELECT
    metric,
    coalesce(project, '') AS project,
    coalesce(department, '') AS department,
    coalesce(definition, '') AS definition,
    coalesce(model, '') AS model,
    coalesce(status, '') AS status,
    coalesce(statistic, '') AS statistic,
    coalesce(events, 0) AS events,
    value::DOUBLE AS value
FROM sample
WHERE value IS NOT NULL;
COMMENT ON VIEW exported IS 'What GET /metrics tells of the store, a row a sample: value, or of a summary the number of its events and their sum';
