"""Every metric that the stack may refer to, with the dimension sets under which it is published.

An alarm or a widget on anything else shows nothing, for ever, and neither AWS nor an emulator complains.
"""

from __future__ import annotations

_TABLE = frozenset({"TableName"})
_INDEX = frozenset({"TableName", "GlobalSecondaryIndexName"})
_OPERATION = frozenset({"TableName", "Operation"})
_FUNCTION = frozenset({"FunctionName"})
_SERVICE = frozenset({"service"})
_REASON = frozenset({"service", "reason"})

# (namespace, metric) -> dimension sets
METRICS: dict[tuple[str, str], set[frozenset[str]]] = {
    # the function's own metrics (EMF)
    ("TapStack", "ObjectsIndexed"): {_SERVICE},
    ("TapStack", "ObjectsDuplicate"): {_SERVICE},
    ("TapStack", "ObjectsDeleted"): {_SERVICE},
    ("TapStack", "ObjectsGone"): {_SERVICE},
    ("TapStack", "ObjectsFailed"): {_SERVICE, _REASON},
    ("TapStack", "SdkRetries"): {_SERVICE},
    ("TapStack", "IndexingDelay"): {_SERVICE},
    # Lambda Developer Guide, "Types of metrics for Lambda functions"
    ("AWS/Lambda", "AsyncEventAge"): {_FUNCTION},
    ("AWS/Lambda", "AsyncEventsDropped"): {_FUNCTION},
    ("AWS/Lambda", "AsyncEventsReceived"): {_FUNCTION},
    ("AWS/Lambda", "ConcurrentExecutions"): {_FUNCTION},
    ("AWS/Lambda", "DestinationDeliveryFailures"): {_FUNCTION},
    ("AWS/Lambda", "Duration"): {_FUNCTION},
    ("AWS/Lambda", "Errors"): {_FUNCTION},
    ("AWS/Lambda", "Invocations"): {_FUNCTION},
    ("AWS/Lambda", "Throttles"): {_FUNCTION},
    # DynamoDB Developer Guide, "DynamoDB Metrics and dimensions"
    ("AWS/DynamoDB", "ConsumedReadCapacityUnits"): {_TABLE, _INDEX},
    ("AWS/DynamoDB", "ConsumedWriteCapacityUnits"): {_TABLE, _INDEX},
    ("AWS/DynamoDB", "ProvisionedReadCapacityUnits"): {_TABLE, _INDEX},
    ("AWS/DynamoDB", "ProvisionedWriteCapacityUnits"): {_TABLE, _INDEX},
    ("AWS/DynamoDB", "ReadThrottleEvents"): {_TABLE, _INDEX},
    ("AWS/DynamoDB", "WriteThrottleEvents"): {_TABLE, _INDEX},
    ("AWS/DynamoDB", "SystemErrors"): {_OPERATION},
    # SQS Developer Guide, "Available CloudWatch metrics for Amazon SQS"
    ("AWS/SQS", "ApproximateAgeOfOldestMessage"): {frozenset({"QueueName"})},
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"): {frozenset({"QueueName"})},
}

# Each reason that `ObjectsFailed` is published with.
REASONS = {"denied", "malformed", "throttled", "unavailable", "foreign", "internal"}
