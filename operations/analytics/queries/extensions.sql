-- Current objects for each extension of the file name. The extension is empty if the name has none.
SELECT
    extension,
    count(*) AS objects,
    coalesce(sum(size_bytes), 0) AS bytes
FROM objects
WHERE is_current
GROUP BY extension
ORDER BY bytes DESC, objects DESC, extension
