"""The documented rules of the services that an upload goes through, and what had to be assumed where none says it.

Each with its unit and its page; read in November 2026.
"""

from __future__ import annotations

# -- Lambda's asynchronous queue: Lambda Developer Guide, "How Lambda handles errors and retries with asynchronous
#    invocation" -------------------------------------------------------------------------------------------------------
RETRIES_AFTER_SECONDS = (60, 120)  # of a function error: "a one-minute wait …, and two minutes between the … third"
FIRST_REQUEUE_SECONDS = 1  # of a throttled invocation: "increases exponentially from 1 second …
LONGEST_REQUEUE_SECONDS = 300  # … to a maximum of 5 minutes"
EVENT_AGE_SECONDS = 6 * 3600  # "for up to 6 hours by default", which is also the most; then the event is given up
# The page says nothing of chance. Intervals are drawn from the upper half of the documented one, so that what came
# together does not come back together for ever.
REQUEUE_JITTER = 0.5

# -- Lambda's concurrency ----------------------------------------------------------------------------------------------
# "1,000 execution environment instances every 10 seconds", for each function, refilled continuously and not saved up:
# Lambda Developer Guide, "Lambda scaling behavior"
SCALING_ENVIRONMENTS = 1000
SCALING_SECONDS = 10
ACCOUNT_CONCURRENCY = 1000  # "Lambda quotas"; new accounts have fewer (10 is common), and AWS raises it on request
# Reserved concurrency must leave so much to the other functions: "Configuring reserved concurrency for a function"
UNRESERVED_CONCURRENCY = 100
CPU_MEMORY_MB = 1769  # at which a function has one whole processor: "Configure Lambda function memory"

# -- DynamoDB ----------------------------------------------------------------------------------------------------------
WRITE_UNIT_BYTES = 1024  # "DynamoDB read and write operations": one unit writes up to 1 KB; sizes are rounded up
# "up to 5 minutes (300 seconds) of unused read and write capacity": "DynamoDB burst and adaptive capacity", which adds
# that it is not guaranteed. It never lifts the limit of a partition.
BURST_SECONDS = 300
# "each partition … 1,000 write units per second": same page, and "Partitions and data distribution in DynamoDB". The
# index `uploads_by_day` has one partition key a day, and its sort key only grows, so that splitting a day would not
# help: everything that is written today is in one partition.
PARTITION_UNITS = 1000
ON_DEMAND_UNITS = 4000  # "New on-demand tables … up to 4,000 writes per second": "DynamoDB on-demand capacity mode"
# "How DynamoDB auto scaling works": the alarm rings when the target is exceeded for two consecutive minutes, and when
# usage is 20 percentage points below it for fifteen ("DynamoDB auto scaling", AWS re:Post knowledge center)
SCALE_UP_MINUTES = 2
SCALE_DOWN_MINUTES = 15
SCALE_DOWN_BELOW = 0.20
SCALING_TARGET = 0.70  # what the stack asks for
# Assumed: from the end of the minutes that ring the alarm until the new capacity is there. The page says only that
# CloudWatch may take some minutes and that an update of the table takes "several minutes" where partitions are added.
SCALING_REACTION_SECONDS = 120

# -- S3 ----------------------------------------------------------------------------------------------------------------
# "typically … in seconds but can sometimes take a minute or longer": S3 User Guide, "Amazon S3 Event Notifications"
DELIVERY_MS = (700.0, 5000.0)  # assumed: median, and what one in a hundred exceeds

# -- Durations, milliseconds: median, and what one in a hundred exceeds --------------------------------------------
# S3 User Guide, "Performance design patterns for Amazon S3": first byte "roughly 100-200 milliseconds" for small
# objects; a HEAD on a warm connection of the same region usually takes less
HEAD_MS = (30.0, 200.0)
WRITE_MS = (8.0, 50.0)  # DynamoDB Developer Guide, "Troubleshooting latency issues": single-digit milliseconds
INIT_MS = (600.0, 1200.0)  # assumed for 512 MB: boto's two clients, logs and tracing from an archive without bytecode
FUNCTION_CPU_MS = 3.0  # assumed: of a whole processor for each event, in the function's own code
