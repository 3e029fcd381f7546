"""Errors of the upload server: one class each for messages to the operator, to the user of the page, and to the log."""

from __future__ import annotations

from http import HTTPStatus


class CannotRunError(Exception):
    """The upload server cannot start. The message gives the operator the cause and the remedy."""


class RefusedError(Exception):
    """The upload server rejected a request of the page. The message is for the user, `code` for the page's script."""

    def __init__(self, code: str, message: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class AwsRequestError(Exception):
    """A request of the upload server to AWS failed. The message is only for the server's log."""
