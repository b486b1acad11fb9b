-- A ranking takes the place of the one before, which may have named other models.
DELETE FROM model_ranking
WHERE (task_id, department) IN (
    SELECT (one.task_id, coalesce(one.department, ''))
    FROM (SELECT unnest(from_json($1, '[{"task_id": "VARCHAR", "department": "VARCHAR"}]')) AS one)
);
INSERT OR REPLACE INTO model_ranking BY NAME
SELECT
    one.task_id,
    coalesce(one.department, '') AS department,
    place.model.model,
    place.rank,
    one.kind,
    one.updated_at::TIMESTAMP AS updated_at,
    place.model.samples,
    place.model.score,
    place.model.quality.mean AS quality,
    place.model.quality.low AS quality_low,
    place.model.quality.high AS quality_high,
    place.model.latency_s.mean AS latency_s,
    place.model.latency_s.low AS latency_low_s,
    place.model.latency_s.high AS latency_high_s,
    place.model.cost
FROM (
    SELECT unnest(from_json($1, '[{
        "task_id": "VARCHAR", "department": "VARCHAR", "kind": "VARCHAR", "updated_at": "TIMESTAMPTZ",
        "models": [{
            "model": "VARCHAR", "samples": "DOUBLE", "score": "DOUBLE", "cost": "DOUBLE",
            "quality": {"mean": "DOUBLE", "low": "DOUBLE", "high": "DOUBLE"},
            "latency_s": {"mean": "DOUBLE", "low": "DOUBLE", "high": "DOUBLE"}
        }]
    }]')) AS one
), LATERAL (SELECT unnest(list_transform(one.models, lambda model, place: {'model': model, 'rank': place})) AS place);
