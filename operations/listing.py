"""The versions and delete markers that S3 lists, and the keys of which the bucket notifies the function. Pure."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any
from urllib.parse import unquote_plus

from operations.target import same_function

NO_TRIGGER = (
    "note: the bucket does not notify this function, so new uploads get no row: `pulumi up --refresh` mends that. "
    "Every key counts as one to index"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of an object, or one delete marker (then without size and ETag), as in ListObjectVersions."""

    key: str
    version_id: str
    last_modified: datetime  # UTC, to the second
    marker: bool = False
    size: int = 0  # bytes
    etag: str = ""  # without quotes


def parse_versions(page: Mapping[str, Any]) -> Iterator[Version]:
    """Yield the versions and markers of one page of ListObjectVersions (with its keys decoded), in key order."""
    objects = (
        Version(
            key=each["Key"],
            version_id=each["VersionId"],
            last_modified=each["LastModified"],
            size=each["Size"],
            etag=each["ETag"].strip('"'),
        )
        for each in page.get("Versions", ())
    )
    markers = (
        Version(key=each["Key"], version_id=each["VersionId"], last_modified=each["LastModified"], marker=True)
        for each in page.get("DeleteMarkers", ())
    )
    return heapq.merge(objects, markers, key=lambda version: version.key)


def group_by_key(versions: Iterable[Version]) -> Iterator[tuple[str, tuple[Version, ...]]]:
    """Yield each key with all its versions, from a listing in key order."""
    for key, group in groupby(versions, key=lambda version: version.key):
        yield key, tuple(group)


@dataclass(frozen=True)
class KeyFilter:
    """The keys of which the bucket notifies the function: those that match a rule of the notification.

    `rules` are pairs of prefix and suffix. None: the bucket does not notify the function at all; then every key
    matches.
    """

    rules: tuple[tuple[str, str], ...] | None

    @classmethod
    def from_notifications(cls, configurations: Sequence[Mapping[str, Any]], function_arn: str) -> KeyFilter:
        """The rules of a bucket's `LambdaFunctionConfigurations` that lead to this function.

        Filters hold keys as notifications do: form-encoded.
        """
        ours = [each for each in configurations if same_function(each["LambdaFunctionArn"], function_arn)]
        return cls(tuple(_rule(each) for each in ours) or None)

    @property
    def triggered(self) -> bool:
        """Whether the bucket notifies the function."""
        return self.rules is not None

    def warnings(self) -> list[str]:
        """Return the text to show if the bucket does not notify the function."""
        return [] if self.triggered else [NO_TRIGGER]

    def __contains__(self, key: str) -> bool:
        if self.rules is None:
            return True
        return any(key.startswith(prefix) and key.endswith(suffix) for prefix, suffix in self.rules)


def _rule(configuration: Mapping[str, Any]) -> tuple[str, str]:
    rules = configuration.get("Filter", {}).get("Key", {}).get("FilterRules", ())
    values = {rule["Name"].lower(): unquote_plus(rule["Value"]) for rule in rules}
    return values.get("prefix", ""), values.get("suffix", "")
