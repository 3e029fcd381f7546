-- Current objects and noncurrent versions for each bucket and top-level prefix: the part of the key up to the first slash.
-- The prefix is empty if the key contains no slash.
SELECT
    bucket,
    prefix,
    count(*) FILTER (WHERE is_current) AS objects,
    coalesce(sum(size_bytes) FILTER (WHERE is_current), 0) AS bytes,
    count(*) FILTER (WHERE NOT is_current) AS noncurrent_versions,
    coalesce(sum(size_bytes) FILTER (WHERE NOT is_current), 0) AS noncurrent_bytes
FROM (
    SELECT
        bucket,
        CASE WHEN strpos(key, '/') > 0 THEN split_part(key, '/', 1) || '/' ELSE '' END AS prefix,
        size_bytes,
        is_current
    FROM objects
    WHERE exists_now
) AS existing
GROUP BY bucket, prefix
ORDER BY bytes DESC, objects DESC, noncurrent_bytes DESC, bucket, prefix
