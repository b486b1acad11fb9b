INSERT OR IGNORE INTO event BY NAME
SELECT
    one->>'$.project_id' AS project_id,
    (one->>'$.sequence')::BIGINT AS sequence,
    TRY_CAST(one->>'$.at' AS TIMESTAMPTZ)::TIMESTAMP AS logged_at,
    one->>'$.task_id' AS task_id,
    one->>'$.type' AS type,
    json_merge_patch(
        one,
        '{"_id": null, "_version": null, "project_id": null, "task_id": null, "sequence": null, "type": null, "at": null}'
    ) AS payload
FROM (SELECT unnest(from_json($1, '["JSON"]')) AS one);
