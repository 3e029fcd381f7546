"""The Lambda function: `lambda_code.main.lambda_handler`. An adapter; the work is in `indexer`."""

from __future__ import annotations

import time
from functools import cache
from typing import Protocol

from lambda_code.indexer import Indexer
from lambda_code.settings import Settings, on_lambda
from lambda_code.storage import AwsStorage
from lambda_code.telemetry import Telemetry


class LambdaContext(Protocol):
    """The part of Lambda's context object that is used here."""

    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda stops the function."""


def lambda_handler(event: object, context: LambdaContext) -> dict[str, int]:
    """Index what an S3 event tells; return how many of its records ended how.

    Raises:
        IndexingError: some record failed; Lambda tries the event again, and at last puts it in the failure queue.
    """
    deadline = time.monotonic() + context.get_remaining_time_in_millis() / 1000
    return indexer().handle(event, request_id=context.aws_request_id, deadline=deadline)


@cache
def indexer() -> Indexer:
    """This process's indexer, with its AWS clients: what a warm function keeps from event to event.

    Raises:
        ConfigurationError: the environment is not what the stack gives the function.
    """
    settings = Settings.from_env()
    return Indexer(
        bucket_name=settings.bucket_name,
        deleted_retention_days=settings.deleted_retention_days,
        storage=AwsStorage.connect(settings),
        telemetry=Telemetry(settings),
    )


if on_lambda():
    indexer()  # while Lambda initialises, which has a full CPU and is not part of the first event's time
