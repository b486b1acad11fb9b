-- Whether a judge had a part in a score: false where text statistics alone gave it, null in rows of earlier versions.

CREATE OR REPLACE VIEW quality_progression AS
SELECT
    project_id,
    department,
    iteration,
    logged_at,
    quality,
    quality - lag(quality) OVER (PARTITION BY project_id, department ORDER BY iteration) AS gain,
    (extra->>'$.judged')::BOOLEAN AS judged,
    threshold,
    quality >= threshold AS reached,
    coverage,
    depth,
    coherence,
    actionability,
    rung,
    task_id
FROM latest_iteration
ORDER BY project_id, department, iteration;
COMMENT ON VIEW quality_progression IS 'S001-MET-13: quality (0 to 100) with its parts after each iteration, and the gain over the one before';

CREATE OR REPLACE VIEW report_departments AS
WITH newest AS (
    SELECT
        project_id,
        department,
        arg_max(quality, iteration) AS quality,
        arg_max_null((extra->>'$.judged')::BOOLEAN, iteration) AS judged,
        arg_max(threshold, iteration) AS threshold,
        count(*) AS iterations,
        sum(items_created)::BIGINT AS kept,
        sum(duplicates_dropped)::BIGINT AS duplicates,
        sum(filtered_dropped)::BIGINT AS filtered,
        arg_max_null(ended_by, iteration) AS ended_by
    FROM latest_iteration
    GROUP BY project_id, department
), work AS (
    SELECT project_id, department, min(logged_at) AS started, sum(duration_s) / 60 AS minutes
    FROM iteration
    GROUP BY project_id, department
), spent AS (
    SELECT
        project_id,
        department,
        sum(tokens)::BIGINT AS tokens,
        sum(calls_with_unknown_tokens)::BIGINT AS calls_with_unknown_tokens,
        sum(cost) AS cost,
        sum(calls_with_unknown_cost)::BIGINT AS calls_with_unknown_cost
    FROM tokens_and_cost
    GROUP BY project_id, department
)
SELECT
    n.project_id,
    n.department,
    n.quality,
    n.judged,
    n.threshold,
    n.quality >= n.threshold AS reached,
    n.iterations,
    n.kept,
    n.duplicates,
    n.filtered,
    s.tokens,
    coalesce(s.calls_with_unknown_tokens, 0) AS calls_with_unknown_tokens,
    s.cost,
    coalesce(s.calls_with_unknown_cost, 0) AS calls_with_unknown_cost,
    w.minutes,
    n.ended_by
FROM newest AS n
JOIN work AS w USING (project_id, department)
LEFT JOIN spent AS s USING (project_id, department)
ORDER BY n.project_id, w.started, n.department;
COMMENT ON VIEW report_departments IS 'Report: one row a department of a project, over all its runs';
