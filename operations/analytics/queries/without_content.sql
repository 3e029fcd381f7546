-- Current objects and noncurrent versions that the inspector has not read.
SELECT
    bucket,
    storage_class,
    encryption,
    count(*) AS versions,
    coalesce(sum(size_bytes), 0) AS bytes
FROM objects
WHERE exists_now AND content_of IS NULL
GROUP BY bucket, storage_class, encryption
ORDER BY versions DESC, bytes DESC, bucket, storage_class, encryption
