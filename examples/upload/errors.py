"""Errors of the server, by who can act on them."""

from __future__ import annotations

from http import HTTPStatus


class CannotRunError(Exception):
    """The server cannot start: the message is for its operator, with the remedy."""


class RefusedError(Exception):
    """The page's request is refused: the message is for the person at the page, `code` for its script."""

    def __init__(self, code: str, message: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class AwsRequestError(Exception):
    """A request to AWS failed: the message is for the server's log."""
