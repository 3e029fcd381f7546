"""Limits and latencies of S3, Lambda and DynamoDB, with the titles of the AWS documentation pages that define them.

Values without a documented source are marked as assumed. The pages were read in November 2026.
"""

from __future__ import annotations

# Asynchronous invocation: Lambda Developer Guide, "How Lambda handles errors and retries with asynchronous invocation".
RETRIES_AFTER_SECONDS = (60, 120)
"""Lambda's delays before the first and the second retry after a function error."""
FIRST_REQUEUE_SECONDS = 1
"""Lambda's first delay before it retries a throttled invocation; later delays increase exponentially."""
LONGEST_REQUEUE_SECONDS = 300
"""Lambda's longest delay before it retries a throttled invocation."""
EVENT_AGE_SECONDS = 6 * 3600
"""Default and maximum of Lambda's maximum event age. Older events go to the on-failure destination."""
REQUEUE_JITTER = 0.5
"""Assumed jitter of requeue delays, as a share of the delay. AWS does not document a jitter."""

# Concurrency of Lambda functions.
SCALING_ENVIRONMENTS = 1000
"""Execution environments that Lambda can start for a function within `SCALING_SECONDS`: Lambda Developer Guide, "Lambda
scaling behavior"."""
SCALING_SECONDS = 10
ACCOUNT_CONCURRENCY = 1000
"""Default concurrency of an account: "Lambda quotas". New accounts often have 10; AWS increases it on request."""
UNRESERVED_CONCURRENCY = 100
"""Concurrency of an account that cannot be reserved: "Configuring reserved concurrency for a function"."""
CPU_MEMORY_MB = 1769
"""Memory with which a function has one full vCPU: "Configure Lambda function memory"."""

# Capacity of DynamoDB tables.
WRITE_UNIT_BYTES = 1024
"""Bytes that one write unit writes; sizes are rounded up: "DynamoDB read and write operations"."""
BURST_SECONDS = 300
"""Seconds of unused capacity that DynamoDB keeps as burst capacity: "DynamoDB burst and adaptive capacity".

AWS does not guarantee burst capacity, and it does not increase the limit of a partition.
"""
PARTITION_UNITS = 1000
"""Maximum write units per second of one partition: "DynamoDB burst and adaptive capacity".

The index `uploads_by_day` has one partition key per day, so all rows of the current day are in one partition.
"""
ON_DEMAND_UNITS = 4000
"""Write units per second of a new on-demand table: "DynamoDB on-demand capacity mode"."""
SCALE_UP_MINUTES = 2
"""Consecutive minutes above the target after which auto scaling adds capacity: "How DynamoDB auto scaling works"."""
SCALE_DOWN_MINUTES = 15
"""Consecutive minutes of low utilization after which auto scaling removes capacity: AWS re:Post knowledge center."""
SCALE_DOWN_BELOW = 0.20
"""Difference between the target utilization and the utilization at which auto scaling removes capacity."""
SCALING_TARGET = 0.70
"""Target utilization of auto scaling in this stack."""
SCALING_REACTION_SECONDS = 120
"""Assumed delay between the decision of auto scaling and the new capacity. AWS documents only "several minutes"."""

# Latencies in milliseconds, as pairs of the median and the 99th percentile.
DELIVERY_MS = (700.0, 5000.0)
"""Assumed time from an upload to Lambda's queue. "Amazon S3 Event Notifications" gives "typically … in seconds"."""
HEAD_MS = (30.0, 200.0)
"""Assumed latency of HeadObject. "Performance design patterns for Amazon S3" gives "roughly 100-200 milliseconds" for
the first byte of a small object; HeadObject within a region usually takes less."""
WRITE_MS = (8.0, 50.0)
"""Latency of UpdateItem. "Troubleshooting latency issues" of DynamoDB gives single-digit milliseconds."""
INIT_MS = (600.0, 1200.0)
"""Assumed duration of a cold start of the indexer with 512 MB of memory."""
FUNCTION_CPU_MS = 3.0
"""Assumed duration of the indexer's own code for one event, with one full vCPU."""
