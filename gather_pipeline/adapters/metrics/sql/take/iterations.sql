-- A committed iteration never changes.
INSERT OR IGNORE INTO iteration BY NAME
SELECT
    one.project_id,
    one.department,
    one.number AS iteration,
    one.ended_at::TIMESTAMP AS logged_at,
    one.task_id,
    one.quality.value AS quality,
    one.quality.judged,
    one.threshold,
    one.quality.parts.coverage.value AS coverage,
    one.quality.parts.depth.value AS depth,
    one.quality.parts.coherence.value AS coherence,
    one.quality.parts.actionability.value AS actionability,
    one.generated AS items_generated,
    len(one.item_ids) AS items_created,
    one.duplicates AS duplicates_dropped,
    one.filtered AS filtered_dropped,
    one.model,
    one.tokens,
    one.cost,
    one.seconds.generate AS generate_s,
    one.seconds.deduplicate AS deduplicate_s,
    one.seconds.save AS save_s,
    one.seconds.score AS score_s,
    one.seconds.context AS context_s,
    one.seconds.brain AS brain_s,
    round(list_sum([
        one.seconds.generate, one.seconds.deduplicate, one.seconds.save, one.seconds.score, one.seconds.context
    ]), 4) AS duration_s,
    one.rung,
    one.ended_by
FROM (
    SELECT unnest(from_json($1, '[{
        "project_id": "VARCHAR", "department": "VARCHAR", "number": "BIGINT", "ended_at": "TIMESTAMPTZ", "task_id": "VARCHAR",
        "threshold": "DOUBLE", "generated": "BIGINT", "item_ids": ["VARCHAR"], "duplicates": "BIGINT", "filtered": "BIGINT",
        "model": "VARCHAR", "tokens": "BIGINT", "cost": "DOUBLE", "rung": "VARCHAR", "ended_by": "VARCHAR",
        "quality": {"value": "DOUBLE", "judged": "BOOLEAN", "parts": {
            "coverage": {"value": "DOUBLE"}, "depth": {"value": "DOUBLE"},
            "coherence": {"value": "DOUBLE"}, "actionability": {"value": "DOUBLE"}
        }},
        "seconds": {"generate": "DOUBLE", "deduplicate": "DOUBLE", "save": "DOUBLE", "score": "DOUBLE", "context": "DOUBLE",
            "brain": "DOUBLE"}
    }]')) AS one
);
