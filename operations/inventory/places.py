"""Finds the newest complete S3 Inventory of a bucket, in a local folder or in S3, and downloads its data files."""

# ruff: noqa: D102  Methods of subclasses have the documentation of the class Place.

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from operations.errors import OperatorError
from operations.inventory.files import CHECKSUM, MANIFEST, Inventory, InventoryFile
from operations.local_files import read_manifest
from operations.pool import map_in_order
from operations.s3_url import SCHEME, split_s3_url

if TYPE_CHECKING:
    from operations.aws import Aws

FOLDER_NAME = re.compile(r"\d{4}-\d\d-\d\dT\d\d-\d\dZ")
"""Matches the name of an inventory's folder, which is the time at which S3 started to create the inventory."""
DATA_FOLDERS = ("data", "files", "hive")
"""Names of folders that contain data files but no manifests, so that the search skips them."""
LEVELS = 4
"""Maximum depth of an inventory's folder below a URL: prefix, source bucket, configuration and time."""
EXPIRED = "The inventory lists this file, but a lifecycle rule or a user may have deleted it. Use a newer inventory"
UNFINISHED = f"has no {CHECKSUM}, so S3 has not finished the inventory, or the file was deleted"


class Place(ABC):
    """Base class of locations with inventories: a local folder, or an S3 URL.

    Attributes:
        name: path or URL of the location, for error messages.
    """

    name: str

    @abstractmethod
    def folders(self) -> list[str]:
        """Return the paths or URLs of all folders of inventories in this location, the newest first."""

    @abstractmethod
    def read(self, folder: str, name: str) -> bytes | None:
        """Return the content of a file in an inventory's folder, or None if the file does not exist.

        Args:
            folder: path or URL of the folder.
            name: name of the file.
        """

    @abstractmethod
    def data_files(self, inventory: Inventory, folder: Path, advance: Callable[[int], None]) -> list[Path]:
        """Return the local paths of an inventory's data files. Files in S3 are downloaded first.

        Args:
            inventory: content of the inventory's manifest.
            folder: local folder for downloaded files.
            advance: function that is called after each download, with the size of the file in bytes.
        """

    def newest(self, bucket: str) -> tuple[Inventory, list[str]]:
        """Return the newest complete inventory of a bucket, and a note about each newer inventory that is incomplete.

        Args:
            bucket: name of the source bucket.

        Raises:
            OperatorError: there is no complete inventory of the bucket, or the manifest of the newest one is damaged.
        """
        notes: list[str] = []
        others: set[str] = set()
        folders = self.folders()
        for folder in folders:
            path = f"{folder}/{MANIFEST}"
            checksum = self.read(folder, CHECKSUM)
            content = self.read(folder, MANIFEST)
            if checksum is None or content is None:
                reason = f"{folder} {UNFINISHED}" if checksum is None else f"{path} is missing"
                notes.append(f"note: {reason}; an older inventory was used")
                continue
            inventory = Inventory.parse(content, checksum, place=path)
            if inventory.bucket == bucket or len(folders) == 1:
                return inventory, notes
            others.add(inventory.bucket)
        incomplete = "; ".join(each.removeprefix("note: ").partition(";")[0] for each in notes)
        if others:
            names = ", ".join(f"{name!r}" for name in sorted(others))
            rest = f" Incomplete: {incomplete}." if incomplete else ""
            raise OperatorError(
                f"{self.name} has no complete inventory of the bucket {bucket!r}, only of {names}: give an inventory "
                f"of this bucket, or select another bucket with --bucket.{rest}"
            )
        if incomplete:
            raise OperatorError(
                f"{self.name} has no complete inventory: {incomplete}. Wait until S3 has written this file, or use "
                "another inventory."
            )
        raise OperatorError(
            f"{self.name} has no inventory: give a folder or an s3:// URL that contains {MANIFEST} and {CHECKSUM}. S3 "
            "writes the first inventory within 48 hours after you configure it."
        )


class LocalPlace(Place):
    """Location in the local file system: a folder with inventories, or the manifest of an inventory.

    Args:
        path: path of the folder or of the manifest.
    """

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._path = path

    def folders(self) -> list[str]:
        path = self._path
        if path.name in (MANIFEST, CHECKSUM):
            return [str(path.parent)]
        if not path.is_dir():
            raise OperatorError(f"{path} does not exist: give a folder with an inventory, or the path of {MANIFEST}.")
        if any((path / each).exists() for each in (MANIFEST, CHECKSUM)):
            return [str(path)]
        found = {each.parent for name in (MANIFEST, CHECKSUM) for each in path.rglob(name)}
        return [str(each) for each in sorted(found, key=_time_of, reverse=True)]

    def read(self, folder: str, name: str) -> bytes | None:
        path = Path(folder) / name
        try:
            return read_manifest(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise OperatorError(f"cannot read {path}: {error.strerror}.") from error

    def data_files(self, inventory: Inventory, folder: Path, advance: Callable[[int], None]) -> list[Path]:  # noqa: ARG002  local files need no download
        return [_local_path(Path(inventory.place).parent, each) for each in inventory.files]


class RemotePlace(Place):
    """Location in S3: the URL of a folder with inventories, or of one inventory.

    Args:
        aws: client for the AWS calls.
        url: URL such as `s3://BUCKET/inventory`.
        bucket: name of the source bucket. If a folder has this name, the folders of other buckets are ignored.
    """

    def __init__(self, aws: Aws, url: str, *, bucket: str) -> None:
        self.name = url
        self._aws = aws
        self._bucket, path = split_s3_url(url)
        self._base = path.removesuffix(MANIFEST).removesuffix(CHECKSUM).strip("/")
        self._source = bucket

    def folders(self) -> list[str]:
        if FOLDER_NAME.fullmatch(self._base.rpartition("/")[2]) or self.name.endswith((MANIFEST, CHECKSUM)):
            return [f"s3://{self._bucket}/{self._base}".rstrip("/")]
        level, found = [f"{self._base}/" if self._base else ""], []
        for _ in range(LEVELS):
            below = [each for prefix in level for each in self._aws.list_folder(self._bucket, prefix)[0]]
            names = {each: each.rstrip("/").rpartition("/")[2] for each in below}
            found += [each for each in below if FOLDER_NAME.fullmatch(names[each])]
            level = [
                each for each in below if not FOLDER_NAME.fullmatch(names[each]) and names[each] not in DATA_FOLDERS
            ]
            level = [each for each in level if names[each] == self._source] or level
        found.sort(key=lambda each: each.rstrip("/").rpartition("/")[2], reverse=True)
        return [f"s3://{self._bucket}/{each.rstrip('/')}" for each in found]

    def read(self, folder: str, name: str) -> bytes | None:
        # S3 can deny a GET request for an absent key if s3:ListBucket has a condition, so the keys are listed first.
        prefix = f"{folder}/".removeprefix(f"s3://{self._bucket}/")
        _, keys = self._aws.list_folder(self._bucket, prefix)
        return self._aws.read_file(self._bucket, prefix + name) if prefix + name in keys else None

    def data_files(self, inventory: Inventory, folder: Path, advance: Callable[[int], None]) -> list[Path]:
        def download(each: InventoryFile) -> Path:
            path = folder / each.name
            self._aws.download_file(self._bucket, each.key, path, not_found=EXPIRED)
            return path

        paths = []
        for each, path in map_in_order(download, inventory.files):
            paths.append(path)
            advance(each.size)
        return paths


def place(path: str, aws: Aws, *, bucket: str) -> Place:
    """Return the location for a local path or an `s3://` URL.

    Args:
        path: path of a folder or of a manifest, or a URL.
        aws: client for the AWS calls.
        bucket: name of the source bucket.
    """
    return RemotePlace(aws, path, bucket=bucket) if path.startswith(SCHEME) else LocalPlace(Path(path).absolute())


def _time_of(folder: Path) -> str:
    """Return the creation time of an inventory from its folder name or its manifest, or an empty string."""
    if FOLDER_NAME.fullmatch(folder.name):
        return folder.name
    try:
        created = int(json.loads(read_manifest(folder / MANIFEST))["creationTimestamp"]) / 1000
        return f"{datetime.fromtimestamp(created, UTC):%Y-%m-%dT%H-%MZ}"
    except (OSError, ValueError, KeyError, TypeError, OverflowError, OperatorError):
        return ""


def _local_path(folder: Path, file: InventoryFile) -> Path:
    """Return the local path of an inventory's data file, for different folder layouts of downloaded inventories.

    Args:
        folder: folder of the manifest.
        file: description of the data file.
    """
    usual = folder.parent / "data" / file.name
    beside = [folder / each / file.name for each in ("", "data", "files")]
    candidates = [usual, *beside, *(each / file.key for each in folder.parents)]
    return next((each for each in candidates if each.is_file()), usual)
