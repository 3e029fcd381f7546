"""Converts the errors of botocore to OperatorErrors that state the remedy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConfigParseError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    HTTPClientError,
    InvalidRegionError,
    LoginError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    ProxyConnectionError,
    SSLError,
    SSOError,
    TokenRetrievalError,
)
from botocore.parsers import ResponseParserError

from lambda_common.errors import Reason
from lambda_common.retry import reason_for
from operations.errors import OperatorError

MAX_ATTEMPTS = 8
"""Maximum number of attempts of one AWS call, including the first. If all are throttled, the call takes about 35 s."""

REMEDIES = {
    Reason.DENIED: "Use credentials of the stack's account with the permissions that docs/runbook.md lists",
    Reason.UNPARSABLE: "The response cannot be parsed. Start the tool again. If the error remains, check HTTPS_PROXY",
    Reason.THROTTLED: f"AWS throttled {MAX_ATTEMPTS} attempts: try again later",
}

OWNER = "Check that the bucket belongs to this account: another account can create a bucket with a name that is free"
BUCKET_OPERATIONS = (
    *("GetBucketLocation", "GetBucketNotificationConfiguration", "GetBucketVersioning"),
    *("HeadObject", "ListObjectVersions"),
)
"""S3 operations that S3 denies if the bucket belongs to another account than the stack."""
LOG_IN = "The session has expired: log in again (`aws sso login`, `aws login`), or renew the AWS_* variables"
EXPIRED_CODES = ("ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired")
"""Error codes of AWS for expired temporary credentials."""
REMEDIES_OF_ERRORS: tuple[tuple[tuple[type[BotoCoreError], ...], str], ...] = (
    ((NoCredentialsError, PartialCredentialsError), "Log in (`aws sso login`, `aws configure`), or set AWS_PROFILE"),
    ((SSOError, LoginError, TokenRetrievalError), LOG_IN),
    ((CredentialRetrievalError,), "Log in again (`aws sso login`), or check AWS_PROFILE and its credential_process"),
    ((ProfileNotFound,), "Set AWS_PROFILE to a profile that `aws configure list-profiles` prints"),
    ((ConfigParseError,), "Correct this file, or set AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE to other files"),
    ((NoRegionError, InvalidRegionError), "Set AWS_REGION to a region such as us-east-1"),
    (
        (ProxyConnectionError,),
        (
            "Check HTTPS_PROXY (for an endpoint with http: HTTP_PROXY). To bypass the proxy, add the host of "
            "the endpoint to NO_PROXY"
        ),
    ),
    (
        (SSLError,),
        (
            "Set AWS_CA_BUNDLE to a file with the CA certificates of your proxy or emulator. If the server does not "
            "use TLS, begin AWS_ENDPOINT_URL with http://"
        ),
    ),
    (
        (EndpointConnectionError, ConnectTimeoutError),
        (
            "Check the network connection, the region, and AWS_ENDPOINT_URL if it is set. If your network requires a "
            "proxy, set HTTPS_PROXY"
        ),
    ),
    (
        (HTTPClientError,),
        "Check the network connection, and the variables AWS_ENDPOINT_URL, HTTPS_PROXY and HTTP_PROXY if they are set",
    ),
)
"""Pairs of error classes and remedy; the first pair with the class of an error applies."""


NOT_FOUND = (
    "was the resource deleted or renamed, or is this the wrong region? Run `audit` without --repair: it reports "
    "deleted resources of the stack. docs/runbook.md#incidents lists the remedies"
)


@contextmanager
def translated_errors(action: str, *, not_found: str = NOT_FOUND, permission: str = "") -> Iterator[None]:
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
        raise OperatorError(f"{message}.") from error


@contextmanager
def endpoint_errors() -> Iterator[None]:
    """Raise the ValueError of boto3 for an invalid endpoint URL as an OperatorError."""
    try:
        yield
    except ValueError as error:
        if isinstance(error, BotoCoreError):
            raise
        raise OperatorError(
            f"cannot create the AWS clients: {error}. AWS_ENDPOINT_URL, or endpoint_url in the AWS configuration, must "
            "be a URL that begins with http:// or https://, such as http://127.0.0.1:4566"
        ) from error


def check_endpoint(url: str) -> None:
    """Raise a ValueError if an endpoint URL is not an HTTP URL, or has an invalid port: boto3 accepts such URLs."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or parts.port == 0:  # An invalid port raises ValueError itself.
        raise ValueError(f"Invalid endpoint: {url}")


def _remedy(error: Exception, not_found: str) -> str:
    if reason_for(error) is Reason.UNPARSABLE:
        return REMEDIES[Reason.UNPARSABLE]
    code = error_code(error) if isinstance(error, ClientError) else ""
    if code in EXPIRED_CODES:
        return LOG_IN
    if any(word in code for word in ("NotFound", "NoSuch", "NonExistent", "DoesNotExist")):
        return not_found[0].upper() + not_found[1:]
    remedies = (remedy for classes, remedy in REMEDIES_OF_ERRORS if isinstance(error, classes))
    remedy = next(remedies, REMEDIES.get(reason_for(error), ""))
    if reason_for(error) is Reason.DENIED and getattr(error, "operation_name", "") in BUCKET_OPERATIONS:
        return f"{remedy}. {OWNER}"
    return remedy


def error_code(error: ClientError) -> str:
    """Return the error code of an AWS response, such as `AccessDenied`."""
    return str(error.response.get("Error", {}).get("Code", ""))


def is_denied(error: OperatorError) -> bool:
    """Return whether an error of `translated_errors` was caused by a request that AWS denied."""
    cause = error.__cause__
    return isinstance(cause, BotoCoreError | ClientError) and reason_for(cause) is Reason.DENIED
