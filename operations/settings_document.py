"""Parses the settings document of a stack, which the stack writes into an SSM parameter. Does not call AWS."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Self
from urllib.parse import unquote_plus

from operations.errors import OperatorError
from operations.listing import KeyFilter
from operations.remedies import REFRESH
from operations.target import Target, parse_function_arn

SCHEMA = 1
"""Newest schema of the settings document that this module can read."""


@dataclass(frozen=True, kw_only=True)
class ExpectedSettings:
    """The settings document of a stack. `tap_stack.settings_document` describes its fields."""

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
        for each in fields(cls):
            if each.name not in values or not isinstance(values[each.name], types.get(each.name, (str,))):
                raise OperatorError(f"the SSM parameter {parameter!r} has no valid {each.name}: {REFRESH}")
        known = {each.name: values[each.name] for each in fields(cls)}
        return cls(**known | {"events": tuple(known["events"])})

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
