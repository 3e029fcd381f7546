-- Current objects whose detected media type belongs to another family, such as image or archive, than the declared type
-- or the extension.
SELECT
    bucket,
    key,
    detected_type,
    content_type,
    extension,
    size_bytes,
    version_id
FROM objects
WHERE is_current AND mismatch
ORDER BY bucket, key
