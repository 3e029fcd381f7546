-- Current objects by the extension of the key. The extension is empty if the key has none.
SELECT
    extension,
    count(*) AS objects,
    coalesce(sum(size_bytes), 0) AS bytes
FROM objects
WHERE is_current
GROUP BY extension
ORDER BY bytes DESC, objects DESC, extension
