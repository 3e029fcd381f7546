-- Current objects for each media type that the inspector detected in their bytes.
-- The type is NULL if the inspector has not read the object.
SELECT
    detected_type,
    count(*) AS objects,
    coalesce(sum(size_bytes), 0) AS bytes
FROM objects
WHERE is_current
GROUP BY detected_type
ORDER BY bytes DESC, objects DESC, detected_type
