-- Uploaded versions and their bytes for each UTC month, including versions deleted later.
-- The columns objects and object_bytes count only the versions that are current.
SELECT
    upload_month,
    count(*) AS versions,
    coalesce(sum(size_bytes), 0) AS bytes,
    count(*) FILTER (WHERE is_current) AS objects,
    coalesce(sum(size_bytes) FILTER (WHERE is_current), 0) AS object_bytes
FROM (
    SELECT
        CAST(date_trunc('month', upload_day) AS DATE) AS upload_month,
        size_bytes,
        is_current
    FROM objects
    WHERE upload_day IS NOT NULL
) AS uploads
GROUP BY upload_month
ORDER BY upload_month DESC
