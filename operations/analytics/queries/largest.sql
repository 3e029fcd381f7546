-- Current objects with a known size, the largest first.
SELECT
    bucket,
    key,
    size_bytes,
    content_type,
    uploaded_at,
    version_id
FROM objects
WHERE is_current AND size_bytes IS NOT NULL
ORDER BY size_bytes DESC, bucket, key
