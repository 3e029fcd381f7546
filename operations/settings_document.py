"""Parses the settings document of a stack, which the stack writes into an SSM parameter. Does not call AWS."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, Self
from urllib.parse import unquote_plus

from operations.errors import OperatorError
from operations.listing import KeyFilter
from operations.setting_findings import REFRESH
from operations.target import BUCKETS_VARIABLE, Target, parse_function_arn

SCHEMA = 1
"""Newest schema of the settings document that this module can read."""
OPTIONAL = ("export_bucket", "export_key", "glue_database", "athena_workgroup", "inventory_location")
"""Names of the fields with a text that is empty if the configuration key of the field is off."""


@dataclass(frozen=True, kw_only=True)
class IndexedBucket:
    """An existing bucket that the stack indexes through EventBridge, but does not own.

    Attributes:
        name: name of the bucket.
        versioned: whether versioning is enabled; if not, it was never enabled.
        prefixes: prefixes of the indexed object keys; empty if all object keys are indexed.
        rule: name of the EventBridge rule that delivers the bucket's events to the indexer.
    """

    name: str
    versioned: bool
    prefixes: tuple[str, ...]
    rule: str

    @classmethod
    def parse(cls, values: Any) -> Self | None:  # noqa: ANN401  a JSON value
        """Parse an element of the field `existing_buckets`; return None if it is invalid."""
        match values:
            case {"name": str(name), "versioned": bool(versioned), "prefixes": list(prefixes), "rule": str(rule)} if (
                all(isinstance(each, str) for each in prefixes)
            ):
                return cls(name=name, versioned=versioned, prefixes=tuple(prefixes), rule=rule)
        return None

    @property
    def key_filter(self) -> KeyFilter:
        """The object keys that the stack indexes."""
        return KeyFilter(tuple((prefix, "") for prefix in self.prefixes) or (("", ""),))


@dataclass(frozen=True, kw_only=True)
class ExpectedInspector:
    """The inspector of a stack, which the table's stream invokes.

    Attributes:
        function: name of the Lambda function.
        event_source_mapping: ID of the event source mapping.
    """

    function: str
    event_source_mapping: str

    @classmethod
    def parse(cls, values: Any) -> Self | None:  # noqa: ANN401  a JSON value
        """Parse the field `inspector`; return None if it is invalid. The function can be a name or an ARN."""
        match values:
            case {"function": str(function), "event_source_mapping": str(mapping)}:
                return cls(function=function.rpartition(":")[2], event_source_mapping=mapping.rpartition(":")[2])
        return None


@dataclass(frozen=True, kw_only=True)
class ExpectedSettings:
    """The settings document of a stack. `tap_stack.settings_document` describes its fields.

    Documents of earlier releases lack the fields `existing_buckets` and `inspector`. `export_bucket`,
    `glue_database` and `athena_workgroup` are empty if the configuration key `analytics` is off, `export_key` also if
    the stack has no KMS key, and `inventory_location` if the key `inventory` is off.
    """

    function_arn: str
    code_sha256: str
    bucket: str
    table: str
    events: tuple[str, ...]
    prefix: str
    suffix: str
    versioning: str
    retries: int
    event_age_seconds: int
    failure_destination: str
    reserved_concurrency: int | None
    existing_buckets: tuple[IndexedBucket, ...] = ()
    inspector: ExpectedInspector | None = None
    export_bucket: str = ""
    export_key: str = ""
    glue_database: str = ""
    athena_workgroup: str = ""
    inventory_location: str = ""

    @classmethod
    def parse(cls, text: str, *, parameter: str) -> Self:
        """Parse the value of the SSM parameter.

        Args:
            text: the value.
            parameter: name of the parameter, for error messages.

        Raises:
            OperatorError: the value is no settings document, or it has a newer schema.
        """
        try:
            values = json.loads(text)
        except ValueError:
            values = None
        if not isinstance(values, Mapping) or not isinstance(values.get("schema"), int):
            raise OperatorError(f"the SSM parameter {parameter!r} is not a settings document: {REFRESH}")
        if values["schema"] > SCHEMA:
            raise OperatorError(
                f"the SSM parameter {parameter!r} has the schema {values['schema']}, but this tool reads schemas up to "
                f"{SCHEMA}: use the tools of the version that deployed the stack"
            )
        types: dict[str, tuple[type, ...]] = {
            "events": (list,),
            "retries": (int,),
            "event_age_seconds": (int,),
            "reserved_concurrency": (int, type(None)),
        }
        required = [each for each in fields(cls) if each.default is MISSING]
        for each in required:
            if each.name not in values or not isinstance(values[each.name], types.get(each.name, (str,))):
                raise OperatorError(f"the SSM parameter {parameter!r} has no valid {each.name}: {REFRESH}")
        found = values.get("existing_buckets", [])
        buckets = [IndexedBucket.parse(each) for each in found] if isinstance(found, list) else [None]
        if None in buckets:
            raise OperatorError(f"the SSM parameter {parameter!r} has no valid existing_buckets: {REFRESH}")
        inspector = ExpectedInspector.parse(values.get("inspector"))
        if inspector is None and values.get("inspector") is not None:
            raise OperatorError(f"the SSM parameter {parameter!r} has no valid inspector: {REFRESH}")
        optional = {name: values.get(name) or "" for name in OPTIONAL}
        for name, value in optional.items():
            if not isinstance(value, str):
                raise OperatorError(f"the SSM parameter {parameter!r} has no valid {name}: {REFRESH}")
        known = {each.name: values[each.name] for each in required}
        parsed = {"events": tuple(known["events"]), "existing_buckets": tuple(buckets), "inspector": inspector}
        return cls(**known | parsed | optional)

    @property
    def bucket_arn(self) -> str:
        """ARN of the bucket, in the partition of the function."""
        return f"arn:{self.function_arn.split(':')[1]}:s3:::{self.bucket}"

    @property
    def account(self) -> str:
        """Account ID of the stack."""
        return self.function_arn.split(":")[4]

    @property
    def key_filter(self) -> KeyFilter:
        """The object keys for which the bucket notifies the indexer."""
        return KeyFilter(((unquote_plus(self.prefix), unquote_plus(self.suffix)),))

    @property
    def buckets_variable(self) -> str | None:
        """Value of the indexer's environment variable with the existing buckets; None if there are none."""
        buckets = [
            {"name": each.name, "prefixes": list(each.prefixes), "versioned": each.versioned}
            for each in self.existing_buckets
        ]
        return _compact(buckets) if buckets else None

    def existing_bucket(self, name: str) -> IndexedBucket | None:
        """Return the existing bucket with a name; None if it is the stack's own bucket.

        Raises:
            OperatorError: the stack does not index the bucket.
        """
        if name == self.bucket:
            return None
        for bucket in self.existing_buckets:
            if bucket.name == name:
                return bucket
        names = ", ".join(each.name for each in self.existing_buckets) or "none"
        raise OperatorError(
            f"--bucket {name!r}: the stack does not index this bucket. Its own bucket is {self.bucket}, its existing "
            f"buckets are: {names}. Correct the name, or add the bucket to existingBuckets and run: pulumi up"
        )

    def target(self, queue_url: str | None = None) -> Target:
        """Return the names of the stack's resources.

        Args:
            queue_url: URL of the failure queue, if it is known.
        """
        arn, region = parse_function_arn(self.function_arn)
        function = arn.rpartition(":")[2]
        return Target(
            function=function,
            function_arn=arn,
            region=region,
            bucket=self.bucket,
            table=self.table,
            queue_url=queue_url,
        )


def buckets_in(variables: Mapping[str, str]) -> str | None:
    """Return the value of the indexer's environment variable with the existing buckets; None if it is not set.

    The JSON text is written in the same way as `ExpectedSettings.buckets_variable`, so that both can be compared.
    """
    text = variables.get(BUCKETS_VARIABLE)
    try:
        return None if text is None else _compact(json.loads(text))
    except ValueError:
        return text


def _compact(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
