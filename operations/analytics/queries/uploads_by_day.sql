-- Uploaded versions and their bytes for each UTC day, including versions deleted later.
-- The columns objects and object_bytes count only the versions that are current.
SELECT
    upload_day,
    count(*) AS versions,
    coalesce(sum(size_bytes), 0) AS bytes,
    count(*) FILTER (WHERE is_current) AS objects,
    coalesce(sum(size_bytes) FILTER (WHERE is_current), 0) AS object_bytes
FROM objects
WHERE upload_day IS NOT NULL
GROUP BY upload_day
ORDER BY upload_day DESC
