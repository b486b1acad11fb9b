-- What the report reads: one view a table, each filtered by project_id there. Departments stand in the order in which they first ran.

CREATE VIEW report_departments AS
WITH newest AS (
    SELECT
        project_id,
        department,
        arg_max(quality, iteration) AS quality,
        arg_max_null(judged, iteration) AS judged,
        arg_max(threshold, iteration) AS threshold,
        count(*) AS iterations,
        sum(items_created)::BIGINT AS kept,
        sum(duplicates_dropped)::BIGINT AS duplicates,
        sum(filtered_dropped)::BIGINT AS filtered,
        arg_max_null(ended_by, iteration) AS ended_by,
        min(logged_at) AS started,
        sum(duration_s) / 60 AS minutes
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
    n.minutes,
    n.ended_by
FROM newest AS n
LEFT JOIN spent AS s USING (project_id, department)
ORDER BY n.project_id, n.started, n.department;
COMMENT ON VIEW report_departments IS 'Report: one row a department of a project, over all its runs';

CREATE VIEW report_spending AS
WITH work AS (
    SELECT
        project_id,
        department,
        min(logged_at) AS started,
        sum(generate_s) AS generate_s,
        sum(deduplicate_s) AS deduplicate_s,
        sum(save_s) AS save_s,
        sum(score_s) AS score_s,
        sum(context_s) AS context_s,
        sum(duration_s) AS duration_s
    FROM iteration
    GROUP BY project_id, department
), spent AS (
    SELECT
        project_id,
        department,
        min(logged_at) AS started,
        count(*) AS calls,
        sum(prompt_tokens)::BIGINT AS prompt_tokens,
        sum(completion_tokens)::BIGINT AS completion_tokens,
        count(*) FILTER (prompt_tokens IS NULL OR completion_tokens IS NULL) AS calls_with_unknown_tokens,
        sum(cost) AS cost,
        count(*) FILTER (cost IS NULL) AS calls_with_unknown_cost
    FROM call
    GROUP BY project_id, department
)
SELECT
    coalesce(w.project_id, s.project_id) AS project_id,
    coalesce(w.department, s.department) AS department,
    coalesce(s.calls, 0) AS calls,
    s.prompt_tokens,
    s.completion_tokens,
    coalesce(s.calls_with_unknown_tokens, 0) AS calls_with_unknown_tokens,
    s.cost,
    coalesce(s.calls_with_unknown_cost, 0) AS calls_with_unknown_cost,
    w.generate_s,
    w.deduplicate_s,
    w.save_s,
    w.score_s,
    w.context_s,
    if(
        w.duration_s IS NULL,
        NULL,
        greatest(
            w.duration_s
            - coalesce(w.generate_s, 0) - coalesce(w.deduplicate_s, 0) - coalesce(w.save_s, 0)
            - coalesce(w.score_s, 0) - coalesce(w.context_s, 0),
            0
        )
    ) AS other_s,
    w.duration_s
FROM work AS w
FULL JOIN spent AS s ON w.project_id = s.project_id AND w.department IS NOT DISTINCT FROM s.department
ORDER BY project_id, coalesce(w.started, s.started), department;
COMMENT ON VIEW report_spending IS
    'Report: tokens, cost and seconds by department; department NULL is work for the whole project';
