"""Tests that the listing benchmark works with its stub server, which responds like S3."""

from __future__ import annotations

import threading

import pytest

from benchmarks import listing_stub
from benchmarks.listing import CREDENTIALS, WORKERS, Listings
from operations.aws import Aws

VERSIONS = 60


@pytest.mark.slow
def test_listing_benchmark_lists_all_versions_of_its_stub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing_stub, "SECONDS_PER_REQUEST", 0)
    monkeypatch.setattr(listing_stub, "SECONDS_PER_VERSION", 0)
    with listing_stub.serve(VERSIONS) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        environment = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_address[1]}", **CREDENTIALS}
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        aws = Aws.connect()
        comparison, table = Listings(aws, "uploads", VERSIONS, page=20).compare("stub", rounds=1)
        with pytest.raises(RuntimeError, match=r"60 of 61 versions were listed with 1 workers"):
            Listings(aws, "uploads", VERSIONS + 1, page=20).seconds(1)
        assert [each.key for each in aws.versions("uploads")] == listing_stub.keys(VERSIONS)
        server.shutdown()
    assert [name for name, *_ in table.rows] == ["1 worker", "4 workers", "8 workers", "16 workers"]
    assert len(comparison.turns) == len(WORKERS)
