"""Converts the errors of botocore to OperatorErrors that state the remedy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError
from botocore.exceptions import ConnectionError as NoConnectionError
from botocore.parsers import ResponseParserError

from lambda_code.errors import Reason
from lambda_code.retry import reason_for
from operations.errors import OperatorError

MAX_ATTEMPTS = 8
"""Maximum number of attempts of one AWS call, including the first. If all are throttled, the call takes about 35 s."""

REMEDIES = {
    Reason.DENIED: "Use credentials of the stack's account with the permissions that docs/runbook.md lists",
    Reason.UNPARSABLE: "The response cannot be parsed. Start the tool again. If the error remains, check the proxy",
    Reason.THROTTLED: f"AWS throttled {MAX_ATTEMPTS} attempts: try again later, or with a lower --rate",
}


@contextmanager
def translated_errors(
    action: str, *, not_found: str = "was the stack destroyed, or is this the wrong region?", permission: str = ""
) -> Iterator[None]:
    """Raise botocore's errors as OperatorErrors that state the failed action and the remedy.

    Args:
        action: the action as an infinitive without "to", such as "read the failure queue".
        not_found: the remedy if AWS reports that the resource does not exist.
        permission: IAM action that the error message names if AWS denies the request.
    """
    try:
        yield
    except (BotoCoreError, ClientError, ResponseParserError) as error:
        missing = (
            f"The permission {permission} is missing. " if permission and reason_for(error) is Reason.DENIED else ""
        )
        message = f"cannot {action}: {str(error).rstrip('.')}. {missing}{_remedy(error, not_found)}".rstrip(". ")
        raise OperatorError(message if message.endswith("?") else f"{message}.") from error


def _remedy(error: Exception, not_found: str) -> str:
    remedy = REMEDIES.get(reason_for(error), "")
    match error:
        case NoCredentialsError():
            remedy = "Log in (`aws sso login`, `aws configure`), or set AWS_PROFILE"
        case NoRegionError():
            remedy = "Set AWS_REGION"
        case NoConnectionError():
            remedy = "Check the network connection, and AWS_ENDPOINT_URL if it is set"
        case ClientError() if any(word in error_code(error) for word in ("NotFound", "NoSuch", "NonExistent")):
            remedy = not_found[0].upper() + not_found[1:]
    return remedy


def error_code(error: ClientError) -> str:
    """Return the error code of an AWS response, such as `AccessDenied`."""
    return str(error.response.get("Error", {}).get("Code", ""))
