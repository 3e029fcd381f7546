"""SQL statements that join an S3 Inventory with the rows of the table. They contain placeholders such as `$name`."""

from __future__ import annotations

from string import Template

ENCRYPTIONS = {"SSE-S3": "AES256", "SSE-KMS": "aws:kms", "DSSE-KMS": "aws:kms:dsse", "NOT-SSE": ""}
"""Maps the encryption status in an inventory to the row attribute `encryption`. Empty if the row has no such attribute.

The status SSE-C has no entry: HEAD requests for such objects fail without the customer's key, so they are not compared.
"""


OBJECT_RULES = (
    ("", "r.delete_marker"),
    ("", "NOT (r.has_type OR r.customer_key)"),
    ("size_bytes", "r.size_bytes IS DISTINCT FROM i.size_bytes"),
    ("etag", "r.etag IS DISTINCT FROM i.etag"),
    ("etag", "r.content_of <> i.etag"),
    ("uploaded_at", "NOT r.customer_key AND date_trunc('second', r.uploaded_at) IS DISTINCT FROM i.uploaded_at"),
    ("uploaded_at", "NOT r.customer_key AND r.upload_day IS DISTINCT FROM CAST(i.uploaded_at AS DATE)"),
    (
        "storage_class",
        (
            "NOT r.customer_key AND r.storage_class IS DISTINCT FROM i.storage_class "
            "AND coalesce(i.place <= r.place, true)"
        ),
    ),
)
"""SQL conditions that are true if an object version `i` in the inventory differs from its row `r`.

Each pair contains the inventory column that the condition needs, or an empty string, and the condition.
"""

MARKER_RULES = (
    ("", "NOT r.delete_marker"),
    ("", "r.upload_day IS NOT NULL"),
    ("", "r.uploaded_at IS NULL"),
    (
        "uploaded_at",
        (
            "abs(date_diff('millisecond', i.uploaded_at, r.uploaded_at)) > "
            "1000 * CASE WHEN i.is_null THEN $null_seconds ELSE $seconds END"
        ),
    ),
)
"""SQL conditions that are true if a delete marker `i` in the inventory differs from its row `r`."""

ENCRYPTION_RULE = "i.encryption <> coalesce(r.encryption, hash('')) AND r.has_type"
"""SQL condition that is true if the encryption may differ. The audit confirms the difference with a HEAD request."""

LISTED = """
    SELECT *, $object_prefix || key AS object_id, split_part(key, '/', -1) AS filename
    FROM $inventory
"""

LISTED_COLUMNS = """
    SELECT
        hash(object_id, version_id) AS id,
        hash($bucket, key, filename, CASE WHEN contains(ltrim(filename, '.'), '.')
            THEN lower(split_part(filename, '.', -1)) ELSE '' END) AS address,
        version_id = $null AS is_null,
        delete_marker,
        size_bytes,
        hash(etag) AS etag,
        date_trunc('second', uploaded_at) AS uploaded_at,
        hash(storage_class) AS storage_class,
        $place AS place,
        CASE WHEN $encryption IS NOT NULL THEN hash($encryption) END AS encryption
    FROM ($listed) WHERE $in_prefix AND $indexed
"""

ROWS = """
    SELECT * EXCLUDE (key), key AS key_attribute, substr(object_id, length($object_prefix) + 1) AS key
    FROM $rows WHERE starts_with(object_id, $object_prefix)
"""

ROW_COLUMNS = """
    SELECT
        hash(object_id, version_id) AS id,
        hash(bucket, key_attribute, filename, extension) AS address,
        delete_marker,
        size_bytes,
        hash(etag) AS etag,
        uploaded_at,
        upload_day,
        deleted_at,
        hash(storage_class) AS storage_class,
        $place AS place,
        CASE WHEN encryption IS NOT NULL THEN hash(encryption) END AS encryption,
        coalesce(encryption = $customer_key, false) AS customer_key,
        content_type IS NOT NULL AS has_type,
        CASE WHEN content_of IS NOT NULL THEN hash(content_of) END AS content_of
    FROM ($row_source) WHERE $in_prefix AND $indexed
"""

OUTCOME = """
    CREATE OR REPLACE TABLE outcome AS
    SELECT * FROM (
        SELECT
            coalesce(i.id, r.id) AS id,
            i.id IS NOT NULL AS listed,
            coalesce(i.delete_marker, false) AS marker,
            CASE
                WHEN i.id IS NULL THEN r.deleted_at IS NULL AND r.uploaded_at BETWEEN $limit AND $latest
                ELSE i.uploaded_at >= $limit OR r.deleted_at BETWEEN $limit AND $latest
                    OR (i.is_null AND r.uploaded_at BETWEEN $limit AND $latest)
            END IS TRUE AS young,
            NOT i.delete_marker AND r.id IS NOT NULL AND ($encryption_differs) IS TRUE AS needs_head,
            needs_head OR CASE
                WHEN i.id IS NULL THEN r.deleted_at IS NULL
                WHEN r.id IS NULL OR r.address <> i.address OR r.deleted_at IS NOT NULL THEN true
                WHEN i.delete_marker THEN $marker_differs
                ELSE $object_differs
            END AS differs
        FROM ($listed_columns) AS i FULL JOIN ($row_columns) AS r ON r.id = i.id
    ) WHERE young OR differs
"""

DIFFERING = """
    CREATE OR REPLACE TABLE differing AS
    SELECT key, version_id, bool_or(needs_head IS TRUE) AS needs_head, bool_or(unlisted) AS unlisted FROM (
        SELECT key, version_id, needs_head, false AS unlisted
        FROM ($listed) AS source JOIN outcome ON outcome.id = hash(object_id, version_id)
        WHERE outcome.listed AND NOT young AND $in_prefix AND $indexed
        UNION ALL
        SELECT key, version_id, needs_head, true AS unlisted
        FROM ($row_source) AS source JOIN outcome ON outcome.id = hash(object_id, version_id)
        WHERE NOT outcome.listed AND NOT young AND $in_prefix AND $indexed
    ) GROUP BY key, version_id
"""

LISTED_COUNTS = """
    SELECT
        count(DISTINCT hash(key)) FILTER ($indexed AND (uploaded_at >= $limit) IS NOT TRUE) AS keys,
        count(*) FILTER ($indexed AND NOT delete_marker) AS versions,
        count(*) FILTER ($indexed AND delete_marker) AS markers,
        count(*) FILTER (NOT ($indexed)) AS not_indexed
    FROM ($listed) WHERE $in_prefix
"""

ROW_COUNTS = """
    SELECT
        count(*) AS rows,
        count(*) FILTER (
            content_type IS NOT NULL AND content_of IS NULL AND deleted_at IS NULL AND NOT delete_marker
        ) AS without_content
    FROM ($row_source) WHERE $in_prefix AND $indexed
"""

OUTCOME_COUNTS = """
    SELECT
        count(*) FILTER (young) AS too_young,
        count(*) FILTER (young AND listed AND NOT marker) AS young_versions,
        count(*) FILTER (young AND listed AND marker) AS young_markers
    FROM outcome
"""

DIFFERING_COUNTS = "SELECT count(*) AS differing, count(DISTINCT key) AS differing_keys FROM differing"

PARTS = {"listed_columns": LISTED_COLUMNS, "row_columns": ROW_COLUMNS, "listed": LISTED, "row_source": ROWS}
"""Maps names of placeholders to the SQL subqueries that replace them."""


def substituted(sql: str, texts: dict[str, str]) -> str:
    """Replace all placeholders in an SQL statement.

    Args:
        sql: the statement with placeholders such as `$name`.
        texts: maps the names of the placeholders that are not in `PARTS` to SQL expressions.
    """
    for parts in (PARTS, PARTS, {name: texts[name] for name in ("object_differs", "marker_differs")}, texts):
        sql = Template(sql).safe_substitute(parts)
    return sql
