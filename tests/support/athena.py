"""Resources of the key `analytics` in MiniStack, whose Athena runs queries with DuckDB."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlglot
from sqlglot import expressions as exp

from operations.analytics.athena_sql import EXPORTED_ROWS
from operations.aws import Aws

if TYPE_CHECKING:
    from tests.support.index import AwsTarget

METADATA_NAMES = 201
"""Names of user metadata in an export for MiniStack. DuckDB infers a structure instead of a map for up to 200 names."""


class TranslatingAws(Aws):
    """AWS calls that translate each query from Trino's dialect to that of DuckDB, which runs in MiniStack's Athena."""

    def start_query(self, sql: str, *, database: str, workgroup: str) -> str:
        return super().start_query(to_duckdb(sql), database=database, workgroup=workgroup)


def to_duckdb(sql: str) -> str:
    """Return a query of Trino in the dialect of DuckDB, for columns whose types DuckDB infers from JSON.

    DuckDB infers times and dates from texts, so that the text functions of the query need a cast.
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


@dataclass(frozen=True, kw_only=True)
class Analytics:
    """Names of the resources of the configuration key `analytics`."""

    bucket: str = "tapstack-athena-exports"
    database: str = "tapstack_athena"
    workgroup: str = "tapstack-athena-analytics"

    def create(self, target: AwsTarget) -> None:
        """Create the export bucket, the Glue table and the Athena workgroup."""
        target.client("s3").create_bucket(Bucket=self.bucket)
        glue = target.client("glue")
        glue.create_database(DatabaseInput={"Name": self.database})
        serde = {"SerializationLibrary": "org.openx.data.jsonserde.JsonSerDe"}
        storage = {
            "Columns": [{"Name": "item", "Type": "struct<object_id:struct<s:string>>"}],
            "Location": f"s3://{self.bucket}/exports/none/",
            "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
            "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
            "SerdeInfo": serde,
        }
        table = {"Name": EXPORTED_ROWS, "TableType": "EXTERNAL_TABLE", "StorageDescriptor": storage}
        glue.create_table(DatabaseName=self.database, TableInput={**table, "Parameters": {"EXTERNAL": "TRUE"}})
        result = {"ResultConfiguration": {"OutputLocation": f"s3://{self.bucket}/results/"}}
        target.client("athena").create_work_group(Name=self.workgroup, Configuration=result)

    def settings(self) -> Mapping[str, str]:
        """Return the fields of the settings document."""
        names = ("export_bucket", "glue_database", "athena_workgroup")
        return dict(zip(names, (self.bucket, self.database, self.workgroup), strict=True))


def upload_export(s3: Any, bucket: str, folder: Path) -> str:  # noqa: ANN401  boto3's clients have no static type
    """Upload the files of an export, and return its S3 URL.

    Args:
        s3: boto3 client of S3.
        bucket: name of the export bucket.
        folder: folder for the bucket of the export, with one export.
    """
    for each in folder.rglob("*"):
        if each.is_file():
            s3.put_object(Bucket=bucket, Key=str(each.relative_to(folder)), Body=each.read_bytes())
    [summary] = folder.rglob("manifest-summary.json")
    return f"s3://{bucket}/{summary.parent.relative_to(folder)}"
