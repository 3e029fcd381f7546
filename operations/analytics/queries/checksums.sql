-- Current objects for each kind of checksum, and groups of objects with equal size and checksum.
-- Empty objects are excluded. Only full-object checksums of at least 64 bits are used to find duplicates.
SELECT
    checksum,
    sum(objects) AS objects,
    sum(objects * size_bytes) AS bytes,
    count(*) FILTER (WHERE checksum_value IS NOT NULL AND objects > 1) AS groups_of_equals,
    coalesce(sum(objects - 1) FILTER (WHERE checksum_value IS NOT NULL), 0) AS extra_objects,
    coalesce(sum((objects - 1) * size_bytes) FILTER (WHERE checksum_value IS NOT NULL), 0) AS wasted_bytes
FROM (
    SELECT
        checksum,
        checksum_algorithm,
        checksum_value,
        size_bytes,
        count(*) AS objects
    FROM (
        SELECT
            CASE
                WHEN checksum_value IS NULL THEN 'none'
                WHEN checksum_type = 'COMPOSITE' THEN 'composite'
                WHEN checksum_algorithm IN ('CRC32', 'CRC32C') THEN '32 bits'
                WHEN checksum_type = 'FULL_OBJECT' THEN 'full object'
                ELSE 'unknown'
            END AS checksum,
            checksum_algorithm,
            checksum_value,
            size_bytes
        FROM objects
        WHERE is_current AND size_bytes > 0
    ) AS with_kind
    GROUP BY checksum, checksum_algorithm, checksum_value, size_bytes
) AS with_equals
GROUP BY checksum
ORDER BY checksum
