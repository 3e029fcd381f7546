"""Configuration keys of a stack that have an effect on its capacity or its bill, and the keys that have none."""

from __future__ import annotations

import re
from dataclasses import dataclass

from operations.planning.prices import ARM64, INFREQUENT_ACCESS, STANDARD, X86_64
from operations.planning.scenario import ON_DEMAND, PROVISIONED, StackSettings
from operations.planning.table import ALL, KEYS_ONLY

UNITS = range(1, 40_001)
"""Allowed capacity units of a table: the default quota of DynamoDB.

Source: AWS documentation page "Quotas in Amazon DynamoDB".
"""
LOG_RETENTION_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545),
    *(731, 1096, 1827, 2192, 2557, 2922, 3288, 3653),
)
"""Retention periods in days that CloudWatch Logs supports.

Source: CloudWatch Logs API Reference, PutRetentionPolicy.
"""


@dataclass(frozen=True)
class Key:
    """A configuration key with an effect on the capacity or the bill. An option of the same name overrides the key.

    Attributes:
        name: the configuration key, such as `writeCapacity`.
        limit: the allowed values: whole numbers of a range, or one of several numbers or texts.
        unit: unit of the numbers.
        description: help text of the option.
    """

    name: str
    limit: range | tuple[int | str, ...]
    unit: str
    description: str

    @property
    def attribute(self) -> str:
        """The attribute of `StackSettings` that has the value of the key."""
        return re.sub(r"(?=[A-Z])", "_", self.name).lower()

    @property
    def option(self) -> str:
        """The option of the command line that overrides the key."""
        return f"--{self.attribute.replace('_', '-')}"

    @property
    def allowed(self) -> str:
        """Text that describes the allowed values."""
        if isinstance(self.limit, range):
            return f"a whole number of {self.limit.start:,} to {self.limit.stop - 1:,} {self.unit}"
        return f"one of {', '.join(str(value) for value in self.limit)}"

    @property
    def help(self) -> str:
        """Help text of the option, with the default."""
        default = getattr(StackSettings(), self.attribute)
        return f"{self.description} (default: {'none' if default is None else default})"

    def parse(self, text: str) -> int | str:
        """Return the value that a text contains.

        Raises:
            ValueError: the value is not allowed.
        """
        if isinstance(self.limit[0], str):
            value: int | str = text
        else:
            value = int(text) if re.fullmatch(r"\s*[+-]?[0-9]{1,18}\s*", text) else text
        if value not in self.limit:
            raise ValueError(value)
        return value


_TABLE_UNITS = "capacity units, the default maximum of a DynamoDB table"
KEYS = {
    key.attribute: key
    for key in (
        Key("billing", (PROVISIONED, ON_DEMAND), "", "capacity mode of the table"),
        Key("readCapacity", UNITS, _TABLE_UNITS, "provisioned read units of the table"),
        Key("writeCapacity", UNITS, _TABLE_UNITS, "provisioned write units of the table"),
        Key("maxCapacity", UNITS, _TABLE_UNITS, "maximum read and write units of auto scaling"),
        Key("maxOnDemandReads", UNITS, _TABLE_UNITS, "maximum read units per second with on-demand billing"),
        Key("maxOnDemandWrites", UNITS, _TABLE_UNITS, "maximum write units per second with on-demand billing"),
        Key("tableClass", (STANDARD, INFREQUENT_ACCESS), "", "table class"),
        Key("indexProjection", (ALL, KEYS_ONLY), "", "attributes in the index"),
        Key("architecture", (ARM64, X86_64), "", "processor architecture of the indexer"),
        Key("memoryMb", range(128, 10_241), "MiB", "memory of the indexer"),
        Key("timeoutSeconds", range(10, 901), "seconds", "timeout of the indexer in seconds"),
        Key("reservedConcurrency", range(1, 100_001), "executions", "reserved concurrency of the indexer"),
        Key("logLevel", ("DEBUG", "INFO", "WARNING", "ERROR"), "", "minimum log level of the indexer"),
        Key("logRetentionDays", LOG_RETENTION_DAYS, "days", "retention of log events in days"),
        Key("exportRetentionDays", range(1, 3651), "days", "retention of exports in days"),
    )
}
"""Maps attributes of `StackSettings` to keys. A test compares values and defaults with those of tap_stack.py."""

PRESENCE = {
    "kmsKeyArn": "customer_key",
    "expectUploadEveryHours": "upload_alarm",
    "expectAuditEveryHours": "audit_alarm",
}
"""Maps each key whose presence has an effect on the bill to the attribute of `StackSettings` that is then true."""

EXISTING_BUCKETS = "existingBuckets"
JSON_KEYS = {
    EXISTING_BUCKETS: "existing_buckets",
    "eventBridge": "event_bridge",
    "analytics": "analytics",
    "inventory": "inventory",
    "inspectContent": "inspect_content",
    "alarmOnMismatch": "mismatch_alarm",
}
"""Keys whose value is a list of buckets, or true or false, with their attribute of `StackSettings`."""
HOURS = {name: Key(name, range(1, 169), "hours", "") for name in ("expectUploadEveryHours", "expectAuditEveryHours")}
"""Keys of `PRESENCE` whose value is a number of hours, with the allowed values."""

WITHOUT_EFFECT = frozenset(
    {
        *("env", "bucketName", "tableName", "corsAllowedOrigins", "notificationPrefix", "notificationSuffix"),
        *("noncurrentDays", "deletedRetentionDays", "alarmEmail", "runbookUrl", "permissionsBoundary", "owner"),
        *(
            "costCenter",
            "savedQueries",
            "protectData",
            "maxDelaySeconds",
            "inspectorFilter",
            "queryScanLimitGb",
        ),
    }
)
"""Keys that have no effect on the calculated capacity and bill. A test compares all keys with those of tap_stack.py."""

PROVISIONED_KEYS = ("read_capacity", "write_capacity", "max_capacity")
"""Attributes of `StackSettings` that are not allowed with on-demand billing."""
ON_DEMAND_KEYS = ("max_on_demand_reads", "max_on_demand_writes")
"""Attributes of `StackSettings` that are not allowed with provisioned billing."""
