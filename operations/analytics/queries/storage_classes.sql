-- Current objects and noncurrent versions for each storage class at the time of indexing.
-- Later lifecycle transitions do not change the column storage_class.
SELECT
    storage_class,
    count(*) FILTER (WHERE is_current) AS objects,
    coalesce(sum(size_bytes) FILTER (WHERE is_current), 0) AS bytes,
    count(*) FILTER (WHERE NOT is_current) AS noncurrent_versions,
    coalesce(sum(size_bytes) FILTER (WHERE NOT is_current), 0) AS noncurrent_bytes
FROM objects
WHERE exists_now
GROUP BY storage_class
ORDER BY bytes DESC, objects DESC, noncurrent_bytes DESC, storage_class
