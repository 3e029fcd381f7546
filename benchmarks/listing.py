"""Benchmark: lists the object versions of a bucket with different numbers of concurrent requests."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING
from unittest.mock import patch

from benchmarks.measure import Comparison, Table, distribution, interleave
from benchmarks.subjects import ROOT
from operations.aws import Aws

if TYPE_CHECKING:
    from benchmarks.report import Result

WORKERS = (8, 16, 4, 1)
BASE = "1 worker"
VERSIONS, PAGE = 50_000, 1000
FEW_VERSIONS = 5_000
# The emulator's bucket is smaller than the stub's. Smaller pages give a similar number of requests.
EMULATED_VERSIONS, EMULATED_PAGE = 3_000, 100
AT_MOST = 0.5  # Goal: a listing with eight concurrent requests takes at most half of the time of a listing with one.
AT_MOST_FOR_FEW = 1.2  # Goal for a bucket with FEW_VERSIONS, which has too few pages to divide.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}


@dataclass
class Listings:
    """Measures listings of one bucket.

    Attributes:
        aws: client for the AWS calls.
        bucket: name of the bucket.
        versions: number of versions in the bucket.
        page: number of versions per request.
        cpu: maps the number of workers to the CPU seconds that this process used for each listing.
    """

    aws: Aws
    bucket: str
    versions: int
    page: int
    cpu: dict[int, list[float]] = field(default_factory=dict)

    def seconds(self, workers: int) -> float:
        """List the bucket once, and return the duration in seconds.

        Raises:
            RuntimeError: the listing does not contain all versions.
        """
        begun, cpu = time.monotonic(), time.process_time()
        listed = self.aws.versions_in_any_order(self.bucket, workers=workers, page=self.page)
        found = len({(each.key, each.version_id) for each in listed})
        if found != self.versions:
            raise RuntimeError(f"{found} of {self.versions} versions were listed with {workers} workers")
        self.cpu.setdefault(workers, []).append(time.process_time() - cpu)
        return time.monotonic() - begun

    def compare(self, where: str, *, rounds: int, at_most: float = AT_MOST) -> tuple[Comparison, Table]:
        """Measure listings with different numbers of workers. Return their durations, and a table of their speeds.

        Args:
            where: description of the server, for the report.
            rounds: number of listings for each number of workers.
            at_most: goal for the first number of workers, as a ratio to the duration with one worker.
        """
        turns = interleave({_name(each): partial(self.seconds, each) for each in WORKERS}, rounds=rounds)
        what = f"listing of {self.versions:,} versions, {where}"
        rows = []
        for workers in sorted(WORKERS):
            seconds, cpu = distribution(turns[_name(workers)]).median, distribution(self.cpu[workers]).median
            rows.append((_name(workers), f"{self.versions / seconds:,.0f}", f"{self.versions / cpu:,.0f}"))
        columns = ("concurrent requests", "versions per second", "versions per CPU second of the tool")
        return (
            Comparison(what=what, unit="s", turns=turns, base=BASE, at_most=at_most),
            Table(what=f"Speed of the {what}", columns=columns, rows=tuple(rows)),
        )


def listing(*, rounds: int, versions: int = VERSIONS) -> Iterator[Result]:
    """Measure listings of a stub server with the latency of S3, and of the embedded emulator.

    Args:
        rounds: number of listings for each number of workers.
        versions: number of versions in the bucket of the stub server.
    """
    with _stub(versions) as environment, patch.dict(os.environ, environment):
        listings = Listings(Aws.connect(), "uploads", versions, PAGE)
        yield from listings.compare("with the latency of S3", rounds=rounds)
    with _stub(FEW_VERSIONS) as environment, patch.dict(os.environ, environment):
        listings = Listings(Aws.connect(), "uploads", FEW_VERSIONS, PAGE)
        yield from listings.compare("with the latency of S3", rounds=rounds, at_most=AT_MOST_FOR_FEW)
    from localstack.emulators.emulator import start  # noqa: PLC0415  importing Pulumi needs a second and 200 MB

    with start("embedded") as emulator:
        s3 = emulator.client("s3")
        s3.create_bucket(Bucket="listing")
        with ThreadPoolExecutor(8) as pool:
            names = (f"folder-{number % 7}/{number:06}" for number in range(EMULATED_VERSIONS))
            deque(pool.map(lambda key: s3.put_object(Bucket="listing", Key=key, Body=b"x"), names), maxlen=0)
        with patch.dict(os.environ, emulator.environment()):
            listings = Listings(Aws.connect(), "listing", EMULATED_VERSIONS, EMULATED_PAGE)
        # Only the speeds are reported: the emulator is one process, so concurrent requests need not be faster.
        yield listings.compare("embedded emulator", rounds=rounds)[1]


@contextmanager
def _stub(versions: int) -> Iterator[Mapping[str, str]]:
    """Context manager that runs `listing_stub.py` in a process, and yields environment variables for its clients."""
    command = [sys.executable, "-m", "benchmarks.listing_stub", str(versions)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own arguments
        try:
            assert process.stdout
            yield {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{process.stdout.readline().strip()}", **CREDENTIALS}
        finally:
            process.communicate()


def _name(workers: int) -> str:
    return f"{workers} worker{'s' * (workers > 1)}"
