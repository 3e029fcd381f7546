-- Current objects with a known upload time, the newest upload first.
SELECT
    bucket,
    key,
    size_bytes,
    content_type,
    uploaded_at,
    version_id
FROM objects
WHERE is_current AND uploaded_at IS NOT NULL
ORDER BY uploaded_at DESC, bucket, key
