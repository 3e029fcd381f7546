-- Current objects by size. 128 KiB is the smallest size that S3 bills in the infrequent access classes, 5 GiB the limit of one PUT.
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
