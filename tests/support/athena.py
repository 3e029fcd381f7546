"""Adapts SQL and exports to Athena in the emulator MiniStack, which runs queries with DuckDB."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlglot
from sqlglot import expressions as exp

from operations.aws import Aws

METADATA_NAMES = 201
"""Number of distinct metadata names in an export. For up to 200 names, DuckDB infers a structure instead of a map."""


class TranslatingAws(Aws):
    """Variant of `Aws` that translates Athena queries to DuckDB's dialect, which MiniStack's Athena requires."""

    def start_query(self, sql: str, *, database: str, workgroup: str) -> str:
        return super().start_query(to_duckdb(sql), database=database, workgroup=workgroup)


def to_duckdb(sql: str) -> str:
    """Translate a query from Trino's dialect to DuckDB's, and cast columns for which DuckDB infers other types.

    When DuckDB reads JSON, it converts some texts to times and dates. Functions for texts in the query need texts.
    """
    tree: Any = sqlglot.parse_one(sql, read="trino")
    for each in list(tree.find_all(exp.Column, exp.Dot)):
        parts = [part.name for part in each.parts]
        if parts[0] == "item" and parts[-1] in ("s", "n") and not isinstance(each.parent, exp.Dot):
            each.replace(exp.cast(each.copy(), "VARCHAR"))
    for each in list(tree.find_all(exp.Anonymous)):
        if each.name.lower() == "transform_values":
            source, function = each.expressions
            values = f"list_transform(map_values(source), lambda {function.expressions[1].name} : body)"
            made: Any = exp.maybe_parse(f"map(map_keys(source), {values})", dialect="duckdb")
            for name, node in (("source", source), ("body", function.this)):
                for found in list(made.find_all(exp.Column, exp.Identifier)):
                    if found.name == name:
                        found.replace(node.copy())
            each.replace(made)
    return str(tree.sql(dialect="duckdb"))


def upload_export(s3: Any, bucket: str, folder: Path) -> str:  # noqa: ANN401  boto3's clients have no static type
    """Upload the files of a table export to S3, and return the URL of the export's folder.

    Args:
        s3: boto3 client of S3.
        bucket: name of the export bucket.
        folder: local folder that contains one export.
    """
    for each in folder.rglob("*"):
        if each.is_file():
            s3.put_object(Bucket=bucket, Key=str(each.relative_to(folder)), Body=each.read_bytes())
    [summary] = folder.rglob("manifest-summary.json")
    return f"s3://{bucket}/{summary.parent.relative_to(folder)}"
