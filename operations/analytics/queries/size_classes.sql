-- Current objects for each size class. The column from_bytes is the smallest size of the class, NULL for unknown sizes.
-- In the infrequent access classes, S3 bills smaller objects as 131072 bytes (128 KiB).
-- One PUT request can upload at most 5368709120 bytes (5 GiB).
SELECT
    from_bytes,
    count(*) AS objects,
    coalesce(sum(size_bytes), 0) AS bytes
FROM (
    SELECT
        size_bytes,
        CASE
            WHEN size_bytes IS NULL THEN NULL
            WHEN size_bytes = 0 THEN 0
            WHEN size_bytes < 131072 THEN 1
            WHEN size_bytes < 1048576 THEN 131072
            WHEN size_bytes < 16777216 THEN 1048576
            WHEN size_bytes < 134217728 THEN 16777216
            WHEN size_bytes < 1073741824 THEN 134217728
            WHEN size_bytes <= 5368709120 THEN 1073741824
            ELSE 5368709121
        END AS from_bytes
    FROM objects
    WHERE is_current
) AS sized
GROUP BY from_bytes
ORDER BY from_bytes
