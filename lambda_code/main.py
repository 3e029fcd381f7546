"""The indexer's entry point, `lambda_code.main.lambda_handler`: an adapter of `indexer` to Lambda."""

from __future__ import annotations

import time
from functools import cache
from typing import Any

from lambda_code.indexer import Indexer
from lambda_code.settings import Settings, on_lambda
from lambda_code.storage import Storage
from lambda_code.telemetry import Telemetry


def lambda_handler(event: object, context: Any) -> dict[str, int]:  # noqa: ANN401 - its class is in Lambda's runtime
    """Index an S3 event notification.

    Args:
        event: the notification.
        context: https://docs.aws.amazon.com/lambda/latest/dg/python-context.html

    Returns:
        How many records had each result.

    Raises:
        IndexingError: at least one record failed. Lambda then retries the event, and finally sends it to the
            failure queue.
    """
    deadline = time.monotonic() + context.get_remaining_time_in_millis() / 1000
    return indexer().handle(event, request_id=context.aws_request_id, deadline=deadline)


@cache
def indexer() -> Indexer:
    """Return this process's indexer with its AWS clients, which a warm process keeps from event to event.

    Raises:
        ConfigurationError: an environment variable that the stack sets is missing or not acceptable.
    """
    settings = Settings.from_env()
    return Indexer(
        bucket_name=settings.bucket_name,
        deleted_retention_days=settings.deleted_retention_days,
        storage=Storage.connect(settings),
        telemetry=Telemetry(settings),
    )


if on_lambda():
    indexer()  # while Lambda initialises, with a full CPU and before the first event's time starts
