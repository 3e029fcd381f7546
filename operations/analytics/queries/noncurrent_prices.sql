-- List price per month in US dollars in us-east-1 of noncurrent versions and delete markers, for each storage class.
-- The storage class is that at the time of indexing.
-- The price is NULL for storage classes that the query does not list.
-- S3 bills a delete marker for the bytes of its key at the price of STANDARD.
-- One GB is 1073741824 bytes.
SELECT
    storage_class,
    kind,
    count(*) AS versions,
    coalesce(sum(bytes), 0) AS bytes,
    sum(class_bytes + name_bytes) AS billed_bytes,
    (CAST(sum(class_bytes) AS DOUBLE) * max(dollars) + CAST(sum(name_bytes) AS DOUBLE) * CAST(0.023 AS DOUBLE)) / 1073741824 AS dollars_per_month
FROM (
    SELECT
        hidden.storage_class,
        hidden.kind,
        hidden.bytes,
        greatest(coalesce(hidden.bytes, 0), prices.least_bytes) + prices.index_bytes AS class_bytes,
        prices.name_bytes,
        CAST(prices.dollars AS DOUBLE) AS dollars
    FROM (
        SELECT
            CASE WHEN delete_marker THEN 'STANDARD' ELSE storage_class END AS storage_class,
            CASE WHEN delete_marker THEN 'delete marker' ELSE 'noncurrent version' END AS kind,
            CASE WHEN delete_marker THEN length(hex(encode(key))) // 2 ELSE size_bytes END AS bytes
        FROM objects
        WHERE deleted_at IS NULL AND NOT is_current
    ) AS hidden
    LEFT JOIN (
        VALUES
            ('STANDARD', 0.023, 0, 0, 0),
            ('INTELLIGENT_TIERING', 0.023, 0, 0, 0),
            ('STANDARD_IA', 0.0125, 131072, 0, 0),
            ('ONEZONE_IA', 0.01, 131072, 0, 0),
            ('GLACIER_IR', 0.004, 131072, 0, 0),
            ('GLACIER', 0.0036, 0, 32768, 8192),
            ('DEEP_ARCHIVE', 0.00099, 0, 32768, 8192)
    ) AS prices (storage_class, dollars, least_bytes, index_bytes, name_bytes) ON prices.storage_class = hidden.storage_class
) AS billed
GROUP BY storage_class, kind
ORDER BY dollars_per_month DESC, versions DESC, storage_class, kind
