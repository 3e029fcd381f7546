-- Noncurrent versions and delete markers of each bucket.
-- The size of a delete marker is the length of its key in UTF-8, because S3 bills a delete marker for its key.
SELECT
    bucket,
    kind,
    count(*) AS versions,
    coalesce(sum(bytes), 0) AS bytes,
    min(uploaded_at) AS oldest
FROM (
    SELECT
        bucket,
        CASE WHEN delete_marker THEN 'delete marker' ELSE 'noncurrent version' END AS kind,
        CASE WHEN delete_marker THEN length(hex(encode(key))) // 2 ELSE size_bytes END AS bytes,
        uploaded_at
    FROM objects
    WHERE deleted_at IS NULL AND NOT is_current
) AS hidden
GROUP BY bucket, kind
ORDER BY bytes DESC, versions DESC, bucket, kind
