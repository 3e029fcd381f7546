-- Current objects for each pair of detected and declared media type.
-- The declared type is in lower case and without parameters, such as charset.
SELECT
    detected_type,
    lower(trim(split_part(content_type, ';', 1))) AS declared_type,
    count(*) AS objects,
    coalesce(sum(size_bytes), 0) AS bytes,
    count(*) FILTER (WHERE mismatch) AS mismatched_objects
FROM objects
WHERE is_current
GROUP BY detected_type, lower(trim(split_part(content_type, ';', 1)))
ORDER BY bytes DESC, objects DESC, detected_type, declared_type
