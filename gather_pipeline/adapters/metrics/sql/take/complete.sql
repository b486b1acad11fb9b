-- What one collection leaves open and another one knows.

-- Iterations of earlier releases do not say what they aimed at, their events do.
UPDATE iteration SET threshold = (event.payload->>'$.threshold')::DOUBLE
FROM event
WHERE iteration.threshold IS NULL AND event.type = 'iteration_complete'
    AND event.project_id = iteration.project_id AND event.payload->>'$.department' = iteration.department
    AND (event.payload->>'$.iteration')::BIGINT = iteration.iteration;

-- A run that did not note its end, or not yet, did what it committed.
UPDATE run SET
    iterations = done.iterations,
    items_created = done.items_created,
    departments_processed = done.departments,
    tokens = done.tokens,
    cost = done.cost
FROM (
    SELECT
        task_id,
        count(*) AS iterations,
        sum(items_created)::BIGINT AS items_created,
        count(ended_by) AS departments,
        if(count(tokens) = count(*), sum(tokens), NULL)::BIGINT AS tokens,
        if(count(cost) = count(*), sum(cost), NULL) AS cost
    FROM iteration
    GROUP BY task_id
) AS done
WHERE run.task_id = done.task_id AND run.processing_time_ms IS NULL;
