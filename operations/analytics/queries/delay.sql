-- Milliseconds from the upload (uploaded_at) of a version to the processing of its event (processed_at).
-- The percentiles are exact (nearest rank).
-- Deleted versions are excluded, because a deletion event can add its sequencer to a row that a tool wrote.
SELECT
    written_from,
    max(total) AS versions,
    min(delay_ms) FILTER (WHERE cumulative * 100 >= total * 50) AS p50_ms,
    min(delay_ms) FILTER (WHERE cumulative * 100 >= total * 95) AS p95_ms,
    max(delay_ms) AS max_ms
FROM (
    SELECT
        written_from,
        delay_ms,
        sum(versions) OVER (PARTITION BY written_from ORDER BY delay_ms) AS cumulative,
        sum(versions) OVER (PARTITION BY written_from) AS total
    FROM (
        SELECT
            written_from,
            delay_ms,
            count(*) AS versions
        FROM (
            SELECT
                CASE
                    WHEN sequencer IS NOT NULL THEN 'event'
                    WHEN version_id = 'null' THEN 'null version'
                    ELSE 'tool'
                END AS written_from,
                date_diff('millisecond', uploaded_at, processed_at) AS delay_ms
            FROM objects
            WHERE exists_now AND uploaded_at IS NOT NULL AND processed_at IS NOT NULL
        ) AS delays
        GROUP BY written_from, delay_ms
    ) AS distinct_delays
) AS ranked
GROUP BY written_from
ORDER BY written_from
