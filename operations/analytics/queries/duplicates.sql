-- Groups of current objects with equal size and equal full-object checksum.
-- Empty objects are excluded.
-- Checksums of 32 bits are excluded, because different objects can have the same 32-bit checksum.
SELECT
    checksum_algorithm,
    checksum_value,
    size_bytes,
    count(*) AS objects,
    (count(*) - 1) * size_bytes AS wasted_bytes,
    min(object_id) AS first_object
FROM objects
WHERE
    is_current
    AND size_bytes > 0
    AND checksum_type = 'FULL_OBJECT'
    AND checksum_algorithm NOT IN ('CRC32', 'CRC32C')
GROUP BY checksum_algorithm, checksum_value, size_bytes
HAVING count(*) > 1
ORDER BY wasted_bytes DESC, objects DESC, checksum_algorithm, checksum_value
