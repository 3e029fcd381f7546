-- Current objects whose detected media type belongs to another family than the declared type or the extension.
-- Families are groups of media types, such as images, documents and archives.
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
