-- Permanently deleted versions and delete markers for each principal that deleted them.
SELECT
    deleted_by,
    count(*) FILTER (WHERE NOT delete_marker) AS versions,
    coalesce(sum(size_bytes) FILTER (WHERE NOT delete_marker), 0) AS bytes,
    count(*) FILTER (WHERE delete_marker) AS delete_markers,
    min(deleted_at) AS first_deletion,
    max(deleted_at) AS last_deletion
FROM objects
WHERE deleted_at IS NOT NULL
GROUP BY deleted_by
ORDER BY versions DESC, delete_markers DESC, deleted_by
