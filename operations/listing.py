"""Parses responses of ListObjectVersions, and the key filters of bucket notifications, without AWS calls."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any
from urllib.parse import unquote_plus

from lambda_code.metadata import DEFAULT_STORAGE_CLASS
from operations.target import same_function

NO_TRIGGER = (
    "note: the bucket does not notify this function, so new uploads are not indexed: `pulumi up --refresh` restores "
    "the notification. This run excludes no keys by a notification filter"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """Object version or delete marker in a response of ListObjectVersions.

    Attributes:
        last_modified: time of creation in UTC, in whole seconds.
        marker: whether this is a delete marker, which has no size and no ETag.
        size: size of the object in bytes.
        etag: ETag of the object, without quotes.
        storage_class: present storage class of the object. A lifecycle transition may have changed it.
    """

    key: str
    version_id: str
    last_modified: datetime
    marker: bool = False
    size: int = 0
    etag: str = ""
    storage_class: str = DEFAULT_STORAGE_CLASS


def parse_versions(page: Mapping[str, Any]) -> Iterator[Version]:
    """Yield the object versions and delete markers in a ListObjectVersions response, in key order."""
    objects = (
        Version(
            key=each["Key"],
            version_id=each["VersionId"],
            last_modified=each["LastModified"],
            size=each["Size"],
            etag=each["ETag"].strip('"'),
            storage_class=each.get("StorageClass") or DEFAULT_STORAGE_CLASS,
        )
        for each in page.get("Versions", ())
    )
    markers = (
        Version(key=each["Key"], version_id=each["VersionId"], last_modified=each["LastModified"], marker=True)
        for each in page.get("DeleteMarkers", ())
    )
    return heapq.merge(objects, markers, key=lambda version: version.key)


def group_by_key(versions: Iterable[Version]) -> Iterator[tuple[str, tuple[Version, ...]]]:
    """Yield each object key with its versions. The argument must be in key order."""
    for key, group in groupby(versions, key=lambda version: version.key):
        yield key, tuple(group)


@dataclass(frozen=True)
class KeyFilter:
    """Set of the object keys about which the bucket notifies the indexer.

    Attributes:
        rules: pairs of prefix and suffix. A key must match at least one pair. None if the bucket does not notify the
            indexer; in this case, the set contains every key.
    """

    rules: tuple[tuple[str, str], ...] | None

    @classmethod
    def from_notifications(cls, configurations: Sequence[Mapping[str, Any]], function_arn: str) -> KeyFilter:
        """Create the filter from a bucket's notification configuration.

        Args:
            configurations: the bucket's `LambdaFunctionConfigurations`, with URL-encoded prefixes and suffixes.
            function_arn: ARN of the indexer; configurations for other functions are ignored.
        """
        ours = [each for each in configurations if same_function(each["LambdaFunctionArn"], function_arn)]
        return cls(tuple(_rule(each) for each in ours) or None)

    @property
    def triggered(self) -> bool:
        """Whether the bucket notifies the indexer."""
        return self.rules is not None

    def warnings(self) -> list[str]:
        """Return a list with a warning if the bucket does not notify the indexer, otherwise an empty list."""
        return [] if self.triggered else [NO_TRIGGER]

    def prefixes(self, prefix: str) -> list[str]:
        """Return prefixes that together cover all keys that match the filter and begin with `prefix`.

        Args:
            prefix: prefix of the keys; empty for all keys.
        """
        if self.rules is None:
            return [prefix]
        longer = {
            max(prefix, own, key=len) for own, _ in self.rules if own.startswith(prefix) or prefix.startswith(own)
        }
        return sorted(each for each in longer if not any(each.startswith(other) for other in longer - {each}))

    def __contains__(self, key: str) -> bool:
        if self.rules is None:
            return True
        return any(key.startswith(prefix) and key.endswith(suffix) for prefix, suffix in self.rules)


def filter_rules(configuration: Mapping[str, Any]) -> tuple[str, str]:
    """Return the prefix and the suffix of a notification's key filter, URL-encoded. An absent one is empty."""
    rules = configuration.get("Filter", {}).get("Key", {}).get("FilterRules", ())
    values = {rule["Name"].lower(): rule["Value"] for rule in rules}
    return values.get("prefix", ""), values.get("suffix", "")


def _rule(configuration: Mapping[str, Any]) -> tuple[str, str]:
    prefix, suffix = filter_rules(configuration)
    return unquote_plus(prefix), unquote_plus(suffix)
