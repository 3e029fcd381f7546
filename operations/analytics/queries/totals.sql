-- One row with the numbers and bytes of current objects, noncurrent versions, delete markers and deleted versions.
-- The size of a delete marker is the length of its key in bytes.
SELECT
    count(*) AS index_rows,
    count(*) FILTER (WHERE is_current) AS objects,
    coalesce(sum(size_bytes) FILTER (WHERE is_current), 0) AS bytes,
    count(*) FILTER (WHERE exists_now AND NOT is_current) AS noncurrent_versions,
    coalesce(sum(size_bytes) FILTER (WHERE exists_now AND NOT is_current), 0) AS noncurrent_bytes,
    count(*) FILTER (WHERE delete_marker AND deleted_at IS NULL) AS delete_markers,
    coalesce(sum(length(hex(encode(key))) // 2) FILTER (WHERE delete_marker AND deleted_at IS NULL), 0) AS delete_marker_bytes,
    count(*) FILTER (WHERE deleted_at IS NOT NULL AND NOT delete_marker) AS deleted_versions,
    coalesce(sum(size_bytes) FILTER (WHERE deleted_at IS NOT NULL AND NOT delete_marker), 0) AS deleted_bytes,
    count(*) FILTER (WHERE deleted_at IS NOT NULL AND delete_marker) AS removed_delete_markers,
    count(*) FILTER (WHERE exists_now AND size_bytes IS NULL) AS versions_without_size,
    count(*) FILTER (WHERE is_current AND size_bytes IS NOT NULL) AS objects_with_size,
    count(*) FILTER (WHERE is_current AND uploaded_at IS NOT NULL) AS objects_with_time,
    count(*) FILTER (WHERE is_current AND mismatch) AS mismatched_objects,
    coalesce(sum(size_bytes) FILTER (WHERE is_current AND mismatch), 0) AS mismatched_bytes,
    count(*) FILTER (WHERE exists_now AND content_of IS NULL) AS versions_without_content,
    coalesce(sum(size_bytes) FILTER (WHERE exists_now AND content_of IS NULL), 0) AS bytes_without_content
FROM objects
