"""Tests of `audit --from-inventory`: its findings, the sources of the inventory and the rows, and its errors."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from operations.analytics.engine import Engine
from operations.analytics.source import Source
from operations.command import main
from operations.inventory.source import Snapshotter
from operations.inventory_settings import inventory_configuration
from tests.support.export_fakes import EXPORT_BUCKET, ExportingAws
from tests.support.export_folder import TABLE_ARN, typed, write_export
from tests.support.inventory_folder import CREATED, FIELDS, LOG_BUCKET, WrittenInventory, write_inventory
from tests.support.nonempty import nonempty
from tests.support.operations_fakes import START, TARGET, key_filter, marker, notification, row, version

if TYPE_CHECKING:
    from operations.listing import Version

pytestmark = pytest.mark.slow

VERSIONS = [
    version("a.txt", "v2", seconds=1),
    version("a.txt", "v1"),
    marker("b c+d.txt", "m1", seconds=2),
    version("b c+d.txt", "null"),
    version("incomplete.txt"),
    version("missing.txt"),
    version("wrong.txt", etag="other"),
]
EXTENSION = {"extension": "txt"}
OBJECT = {**EXTENSION, "encryption": "AES256"}
ROWS = [
    *(row(each, **(EXTENSION if each.marker else OBJECT)) for each in VERSIONS[:4]),
    row(VERSIONS[4], content_type=None, **EXTENSION),
    row(VERSIONS[6], etag="e", **OBJECT),
    row(version("deleted.txt"), deleted_at="2026-01-31T12:00:05.000Z", **EXTENSION),
    row(version("stale.txt"), **OBJECT),
]
DIFFERENCES = [
    ("incomplete", "incomplete.txt"),
    ("missing", "missing.txt"),
    ("stale", "stale.txt"),
    ("wrong", "wrong.txt"),
]
LOCATION = f"s3://{LOG_BUCKET}/inventory"
WINDOW = (CREATED - timedelta(days=35), CREATED + timedelta(days=1))


class Audits:
    """Runs the tool `audit` with a fake stack. The bucket contains VERSIONS, and the table contains ROWS."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys
        self.folder = folder
        self.aws = ExportingAws(folder / "s3", ROWS)
        self.aws.listed, self.aws.rows = list(VERSIONS), list(ROWS)
        self.aws.window = WINDOW
        assert isinstance(self.aws.settings, dict)
        self.settings = self.aws.settings
        self.settings["inventory_location"] = LOCATION
        self.aws.inventory = inventory_configuration(TARGET, LOCATION)
        self.inventory = write_inventory(folder / "s3" / LOG_BUCKET, VERSIONS)
        time = f"{CREATED:%Y-%m-%dT%H:%M:%S.000Z}"
        self.export = write_export(folder / "export", [typed(each) for each in ROWS], exportTime=time)

    def __call__(self, *arguments: str, cache: str = "cache") -> int:
        code = main(
            ["audit", "--function=indexer", *arguments],
            connect=lambda _: self.aws,
            grace=0.0,
            cache=self.folder / cache,
        )
        self.output, self.errors = self.capsys.readouterr()
        return code

    def json(self, *arguments: str, cache: str = "cache") -> Any:  # noqa: ANN401  JSON values have any type
        self(*arguments, "--json", cache=cache)
        return json.loads(self.output)

    @property
    def paths(self) -> tuple[str, ...]:
        """Options of `audit` that select the inventory and the table export in local folders."""
        return (f"--from-inventory={self.inventory.folder}", f"--from-export={self.export}")


@pytest.fixture
def audit(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Audits:
    monkeypatch.setitem(Source.__init__.__kwdefaults__ or {}, "sleep", lambda _: None)
    monkeypatch.setitem(Snapshotter.__init__.__kwdefaults__ or {}, "now", lambda: CREATED + timedelta(days=1))
    return Audits(tmp_path, capsys)


def found(document: Any) -> list[tuple[str, str]]:  # noqa: ANN401  JSON values have any type
    return sorted((each["difference"], each["key"]) for each in document["findings"])


def test_audit_from_an_inventory_reports_the_same_findings_as_an_audit_by_listing(audit: Audits) -> None:
    usual, document = audit.json(), audit.json(*audit.paths)
    assert found(document) == DIFFERENCES
    names = ("findings", "keys", "versions", "markers", "rows", "bucket", "triggered", "settings")
    assert {name: document[name] for name in names} == {name: usual[name] for name in names}
    assert document["notes"] == usual["notes"]
    assert usual["inventory"] is None
    assert document["inventory"] == {
        "path": str(audit.inventory.manifest),
        "created": "2026-02-05T01:00:00Z",
        "format": "Parquet",
        "files": 2,
        "rows_time": "2026-02-05T01:00:00Z",
        "rows_source": str(audit.export),
        "configuration": "indexer",
        "looked_up": 7,
        "lacking": 0,
        "too_young": 0,
    }
    assert (
        "completeness of the inventory: its configuration 'indexer' has no filter; 7 of 7 listed versions are in the "
        "inventory\n"
    ) in audit.errors


@pytest.mark.parametrize(("arguments", "limit"), [([], "800000000B"), (["--memory=2GB"], "1800000000B")])
def test_audit_limits_duckdb_to_a_part_of_the_value_of_option_memory(
    audit: Audits, monkeypatch: pytest.MonkeyPatch, arguments: list[str], limit: str
) -> None:
    limits = []

    def create(*, memory: str, spill: Path) -> Engine:
        limits.append(memory)
        return Engine(memory=memory, spill=spill)

    monkeypatch.setattr("operations.inventory.source.Engine", create)
    audit(*audit.paths, *arguments)
    assert limits == [limit]


def test_audit_from_an_inventory_with_findings_prints_the_inventory_time_and_exits_with_1(audit: Audits) -> None:
    assert audit(*audit.paths) == 1
    assert (
        "4 differences (1 incomplete, 1 missing, 1 stale, 1 wrong) in 6 versions and 1 delete marker of 5 keys, 8 rows"
        in audit.output
    )
    assert ", inventory of 2026-02-05T01:00:00Z; dry run: --repair sends an event for each difference" in audit.output
    size = sum(path.stat().st_size for path in audit.inventory.data)
    assert f"inventory of 2026-02-05T01:00:00Z: 2 files, {size:,} bytes\n" in audit.errors
    assert "confirming 4 possible differences\n" in audit.errors


def test_audit_from_an_inventory_of_a_consistent_table_exits_with_0(audit: Audits) -> None:
    audit.aws.listed = VERSIONS[:4]
    rows = [typed(each) for each in [*ROWS[:4], ROWS[6]]]
    inventory = write_inventory(audit.folder / "good", VERSIONS[:4])
    export = write_export(audit.folder / "good", rows, exportTime=f"{CREATED:%Y-%m-%dT%H:%M:%SZ}")
    assert audit(f"--from-inventory={inventory.root}", f"--from-export={export}") == 0
    assert "audit: the table is consistent with the bucket: 3 versions and 1 delete marker of 2 keys" in audit.output


def test_inventory_that_another_configuration_has_created_is_not_used(audit: Audits) -> None:
    root, later = audit.folder / "s3" / LOG_BUCKET, CREATED + timedelta(days=1)
    write_inventory(root, VERSIONS[:1], created=later, configuration="another")
    document = audit.json("--from-inventory")
    assert document["inventory"]["path"].startswith(f"{LOCATION}/uploads/indexer/2026-02-05T01-00Z/")


def test_inventory_that_lacks_old_versions_causes_a_finding(audit: Audits) -> None:
    inventory = write_inventory(audit.folder / "part", VERSIONS[2:])
    document = audit.json(f"--from-inventory={inventory.root}", f"--from-export={audit.export}")
    [finding] = document["settings"]
    assert (finding["setting"], finding["runbook"]) == ("inventory", "docs/runbook.md#inventory-changed")
    assert finding["problem"].startswith("the inventory lacks 2 versions that existed 48 hours before its creation. If")
    assert found(document) == DIFFERENCES
    part = audit.json(f"--from-inventory={inventory.root}", f"--from-export={audit.export}", "--prefix=wrong")
    assert part["settings"] == []


def test_inventory_whose_filter_excludes_compared_keys_is_refused_before_the_export_starts(audit: Audits) -> None:
    audit.aws.inventory = {**inventory_configuration(TARGET, LOCATION), "Filter": {"Prefix": "wrong"}}
    assert audit("--from-inventory") == 2
    assert "has a filter, so s3://log-bucket/inventory/uploads/indexer/2026-02-05T01-00Z/manifest.json" in audit.errors
    assert not audit.aws.started
    assert audit.json("--from-inventory", "--prefix=wrong.")["versions"] == 1


def test_inventory_filter_that_includes_all_keys_of_the_notification_is_accepted(audit: Audits) -> None:
    audit.settings["prefix"] = "wrong"
    audit.aws.rules = [notification(Filter=key_filter(Prefix="wrong"))]
    audit.aws.inventory = {**inventory_configuration(TARGET, LOCATION), "Filter": {"Prefix": "wron"}}
    document = audit.json("--from-inventory")
    assert (document["inventory"]["looked_up"], document["versions"], found(document)) == (1, 1, DIFFERENCES[-1:])


@pytest.mark.parametrize("rest", [VERSIONS[:2], VERSIONS[2:]])
def test_inventory_that_lacks_old_versions_without_rows_causes_a_finding_without_a_configuration(
    audit: Audits, rest: list[Version]
) -> None:
    audit.aws.inventory = None
    without_rows = [each for each in VERSIONS if each not in rest]
    audit.aws.rows = [row(each, **(EXTENSION if each.marker else OBJECT)) for each in rest]
    inventory = write_inventory(audit.folder / "part", rest)
    export = write_export(
        audit.folder / "part", [typed(each) for each in audit.aws.rows], exportTime=f"{CREATED:%Y-%m-%dT%H:%M:%SZ}"
    )
    document = audit.json(f"--from-inventory={inventory.root}", f"--from-export={export}")
    problems = [each["problem"] for each in document["settings"] if "lacks" in each["problem"]]
    assert problems[0].startswith(f"the inventory lacks {len(without_rows)} versions that existed 48 hours before its")
    assert {name: document["inventory"][name] for name in ("configuration", "looked_up", "lacking")} == {
        "configuration": None,
        "looked_up": 7,
        "lacking": len(without_rows),
    }
    reason = "its configuration was not read, because the bucket has no configuration 'indexer'"
    note = f"note: completeness of the inventory: {reason}; {len(rest)} of 7 listed versions are in the inventory"
    assert note in document["notes"]
    assert "completeness" not in audit.errors
    assert f"the inventory lacks {without_rows[0].key}  {without_rows[0].version_id}\n" in audit.errors


def test_audit_prints_a_note_about_an_inventory_data_file_without_rows(audit: Audits) -> None:
    inventory = write_inventory(audit.folder / "parts", VERSIONS, parts=len(VERSIONS) + 1)
    document = audit.json(f"--from-inventory={inventory.root}", f"--from-export={audit.export}")
    name = inventory.data[-1].name
    assert f"note: the inventory has 1 data file without rows, such as {name}" in document["notes"]


@pytest.mark.parametrize(
    ("configuration", "problem"),
    [
        (None, "of the bucket 'reports' does not exist, so S3 writes no further inventories"),
        ({"IsEnabled": False}, "of the bucket 'reports': IsEnabled: the value is False, but the stack's value is True"),
        ({}, ""),
    ],
)
def test_inventory_configuration_of_an_existing_bucket_is_compared_only_for_an_inventory_of_the_stack(
    audit: Audits, configuration: dict[str, Any] | None, problem: str
) -> None:
    bucket = {"name": "reports", "versioned": True, "prefixes": [], "rule": "tapstack-dev-reports"}
    audit.aws.index_bucket(bucket, VERSIONS[:2])
    if configuration is not None:
        stack = inventory_configuration(TARGET, LOCATION)
        audit.aws.inventories_elsewhere["reports"] = {**stack, **configuration}
    written = write_inventory(audit.folder / "s3" / LOG_BUCKET, VERSIONS[:2], bucket="reports")
    document = audit.json("--bucket=reports", "--from-inventory")
    assert [each["problem"].partition(" 'indexer' ")[2] for each in document["settings"]] == [problem] * bool(problem)
    assert [each["remedy"] for each in document["settings"]] == [
        "run: tapstack adopt reports --inventory --apply"
    ] * bool(problem)
    document = audit.json("--bucket=reports", f"--from-inventory={written.folder}", f"--from-export={audit.export}")
    assert document["settings"] == []


def test_inventory_that_lacks_versions_of_its_last_48_hours_causes_no_finding(audit: Audits) -> None:
    young = version("young.txt", seconds=int((CREATED - timedelta(hours=48) - START).total_seconds()))
    old = version("old.txt", seconds=int((CREATED - timedelta(hours=48) - START).total_seconds()) - 1)
    for each in nonempty((young, old)):
        audit.aws.listed = [*VERSIONS, each]
        audit.aws.rows = [*ROWS, row(each, **OBJECT)]
        time = f"{CREATED:%Y-%m-%dT%H:%M:%S.000Z}"
        export = write_export(audit.folder / each.key, [typed(found) for found in audit.aws.rows], exportTime=time)
        document = audit.json(f"--from-inventory={audit.inventory.root}", f"--from-export={export}")
        assert len(document["settings"]) == (each is old)
        assert document["inventory"]["too_young"] == (each is young)


def test_old_version_with_a_row_that_the_inventory_lacks_causes_a_finding_if_it_is_not_looked_up(audit: Audits) -> None:
    upload = version("multipart.txt", etag="e-3", seconds=int((CREATED - timedelta(days=5) - START).total_seconds()))
    audit.aws.listed = [*VERSIONS, upload]
    rows = [typed(each) for each in [*ROWS, row(upload, **OBJECT)]]
    export = write_export(audit.folder / "part", rows, exportTime=f"{CREATED:%Y-%m-%dT%H:%M:%S.000Z}")
    document = audit.json(f"--from-inventory={audit.inventory.root}", f"--from-export={export}")
    assert document["inventory"]["lacking"] == 0
    [finding] = document["settings"]
    assert finding["problem"].startswith("the inventory lacks 1 version that existed 48 hours before its creation")


def test_missing_inventory_configuration_of_the_upload_bucket_causes_one_finding(audit: Audits) -> None:
    audit.aws.inventory = None
    assert [each["remedy"] for each in audit.json("--from-inventory")["settings"]] == ["run: pulumi up --refresh"]


def test_audit_from_an_inventory_omits_a_difference_that_does_not_exist_anymore(audit: Audits) -> None:
    audit.aws.rows = [*ROWS, row(VERSIONS[5], **OBJECT)]
    assert ("missing", "missing.txt") not in found(audit.json(*audit.paths))


def test_audit_repair_from_an_inventory_sends_an_event_for_each_confirmed_difference(audit: Audits) -> None:
    assert audit.json(*audit.paths, "--repair")["sent"] == 4
    assert len(audit.aws.sent) == 4


def test_audit_from_an_inventory_prints_the_price_and_exports_the_rows_of_the_inventory_time(
    audit: Audits,
) -> None:
    assert found(audit.json("--from-inventory")) == DIFFERENCES
    [started] = audit.aws.started
    assert started["prefix"].startswith("exports/")
    wanted = {"table": TABLE_ARN, "bucket": EXPORT_BUCKET, "owner": "123456789012", "time": CREATED}
    assert {name: started[name] for name in wanted} == wanted
    price = "exporting the rows of 2026-02-05T01:00:00Z: 3.00 GB, which costs about $0.30 in us-east-1\n"
    assert audit.errors.index(price) > audit.errors.index("inventory of 2026-02-05T01:00:00Z: 2 files")


def test_rows_are_exported_at_a_whole_second_because_exports_have_no_milliseconds(audit: Audits) -> None:
    later = CREATED + timedelta(hours=1)
    write_inventory(audit.folder / "s3" / LOG_BUCKET, VERSIONS, created=later + timedelta(milliseconds=250))
    audit.json("--from-inventory")
    assert [each["time"] for each in audit.aws.started] == [later]


def test_export_of_the_inventory_time_is_reused_from_the_cache_and_from_s3(audit: Audits) -> None:
    for cache in ("cache", "cache", "another-cache"):
        audit.json("--from-inventory", cache=cache)
        if cache == "cache":
            for arn, export in audit.aws.exports.items():
                values = {name: getattr(export, name) for name in export.__slots__}
                audit.aws.exports[arn] = type(export)(**{**values, "status": "COMPLETED"})
    assert len(audit.aws.started) == 1
    assert f"using the export of 2026-02-05T01:00:00Z in s3://{EXPORT_BUCKET}/exports/" in audit.errors
    assert "without new costs" in audit.errors


def test_export_whose_time_differs_from_the_inventory_time_is_not_used(audit: Audits) -> None:
    audit.aws.add_export("exports/other", time=CREATED - timedelta(seconds=1))
    audit.json("--from-inventory")
    assert [each["time"] for each in audit.aws.started] == [CREATED]


def test_audit_from_an_inventory_deletes_its_temporary_files(audit: Audits) -> None:
    audit.json("--from-inventory")
    assert [each.name.partition("-")[0] for each in (audit.folder / "cache").iterdir()] == ["snapshot"]


@pytest.mark.parametrize("step", ["exports", "files"])
def test_failed_audit_from_an_inventory_starts_no_export_and_deletes_temporary_files(audit: Audits, step: str) -> None:
    if step == "exports":
        audit.aws.window = None
    else:
        audit.inventory.data[0].unlink()
    assert audit("--from-inventory") == 2
    assert not list((audit.folder / "cache").glob("unfinished-*"))
    assert not audit.aws.started


def no_inventory(audit: Audits) -> None:
    del audit.settings["inventory_location"]


def no_export_bucket(audit: Audits) -> None:
    del audit.settings["export_bucket"]


def no_settings_document(audit: Audits) -> None:
    audit.aws.settings = None


def no_recovery(audit: Audits) -> None:
    audit.aws.window = None


def late_recovery(audit: Audits) -> None:
    audit.aws.window = (CREATED + timedelta(minutes=1), CREATED + timedelta(days=1))


def early_recovery(audit: Audits) -> None:
    audit.aws.window = (WINDOW[0], CREATED - timedelta(minutes=1))


def no_complete_inventory(audit: Audits) -> None:
    (audit.inventory.folder / "manifest.checksum").unlink()


def inventory_of_another_bucket(audit: Audits) -> None:
    audit.inventory.change(sourceBucket="another")


NO_INVENTORY = (
    "audit: --from-inventory: the stack configures no S3 Inventory: set the configuration key inventory to true and "
    "run `pulumi up`, or give the path of an inventory (a folder or an s3:// URL)"
)
NO_EXPORTS = (
    "audit: the audit compares the inventory with an export of the table at the same time, 2026-02-05T01:00:00Z, but "
    "the stack has no export bucket: set the configuration key analytics to true and run `pulumi up`. Or export the "
    "table with `aws dynamodb export-table-to-point-in-time --export-time`, and add --from-export PATH"
)
OUTSIDE = (
    "audit: DynamoDB cannot export the rows of 2026-02-05T01:00:00Z, the time of the inventory, because the recovery"
)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (no_inventory, NO_INVENTORY),
        (no_settings_document, NO_INVENTORY),
        (no_export_bucket, NO_EXPORTS),
        (
            no_recovery,
            "audit: the table 'objects' has no point-in-time recovery, so DynamoDB cannot export the rows of",
        ),
        (
            late_recovery,
            f"{OUTSIDE} window of the table 'objects' is from 2026-02-05T01:01:00Z to 2026-02-06T01:00:00Z: ",
        ),
        (late_recovery, "use a later inventory, or use an export of about this time with --from-export PATH"),
        (early_recovery, "wait some minutes and start the audit again, or use an export of about this time"),
        (no_complete_inventory, "2026-02-05T01-00Z has no manifest.checksum, so S3 has not finished the inventory"),
        (inventory_of_another_bucket, "is the manifest of an inventory of the bucket 'another', not of 'uploads'"),
    ],
)
def test_audit_from_an_inventory_without_readable_inventory_or_rows_is_an_error_with_a_remedy(
    audit: Audits, change: Callable[[Audits], None], message: str
) -> None:
    change(audit)
    assert audit("--from-inventory") == 2
    assert message in audit.errors
    assert not audit.aws.started


def test_audit_with_an_export_of_another_table_is_an_error(audit: Audits) -> None:
    export = write_export(audit.folder / "other", [], tableArn=f"{TABLE_ARN}-other")
    assert audit(f"--from-inventory={audit.inventory.folder}", f"--from-export={export}") == 2
    assert "is the manifest of an export of the table" in audit.errors


@pytest.mark.parametrize(
    ("skew", "note"),
    [
        (
            timedelta(hours=-3, minutes=-2),
            "2026-02-04T21:58:00Z, 3 hours 2 minutes before the inventory of 2026-02-05T",
        ),
        (timedelta(seconds=20), "2026-02-05T01:00:20Z, 20 seconds after the inventory of 2026-02-05T01:00:00Z"),
        (
            timedelta(days=-8),
            "8 days before the inventory of 2026-02-05T01:00:00Z. Use an export of the same time",
        ),
    ],
)
def test_audit_prints_a_note_if_export_and_inventory_have_different_times(
    audit: Audits, skew: timedelta, note: str
) -> None:
    export = write_export(
        audit.folder / "later", [typed(each) for each in ROWS], exportTime=f"{CREATED + skew:%Y-%m-%dT%H:%M:%SZ}"
    )
    notes = audit.json(f"--from-inventory={audit.inventory.folder}", f"--from-export={export}")["notes"]
    assert any(note in each for each in notes), notes


def test_audit_prints_a_note_about_a_newer_incomplete_inventory(audit: Audits) -> None:
    newer = write_inventory(audit.inventory.root, VERSIONS, created=CREATED + timedelta(days=1))
    (newer.folder / "manifest.checksum").unlink()
    document = audit.json("--from-inventory")
    assert document["inventory"]["created"] == "2026-02-05T01:00:00Z"
    assert any("2026-02-06T01-00Z has no manifest.checksum, so S3 has not" in each for each in document["notes"])


def test_audit_prints_a_note_about_an_old_inventory(audit: Audits, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(Snapshotter.__init__.__kwdefaults__ or {}, "now", lambda: CREATED + timedelta(days=5))
    [note] = [each for each in audit.json(*audit.paths)["notes"] if "old" in each]
    assert note.startswith("note: the newest complete inventory is 5 days old (2026-02-05T01:00:00Z): later changes")


def test_audit_from_an_inventory_with_only_recent_objects_reports_a_finding(audit: Audits) -> None:
    created = START + timedelta(hours=1)
    inventory = write_inventory(audit.folder / "young", VERSIONS, created=created)
    assert audit(f"--from-inventory={inventory.folder}", f"--from-export={audit.export}") == 1
    assert "changes of the 48 hours before its creation, which can be incomplete, so the audit" in audit.output


def test_inventory_of_a_bucket_without_versioning_needs_no_version_fields(audit: Audits) -> None:
    bucket = {"name": "reports", "versioned": False, "prefixes": [], "rule": "tapstack-dev-reports"}
    versions = [version("x.txt", "null"), version("y.txt", "null")]
    audit.aws.index_bucket(bucket, versions)
    rows = [row(versions[0], object_id="reports/x.txt", bucket="reports", **OBJECT)]
    audit.aws.rows = [*ROWS, *rows]
    fields = [name for name in FIELDS if name not in ("VersionId", "IsLatest", "IsDeleteMarker")]
    inventory = write_inventory(audit.folder / "reports", versions, bucket="reports", fields=fields)
    export = write_export(
        audit.folder / "reports", [typed(each) for each in audit.aws.rows], exportTime=f"{CREATED:%Y-%m-%dT%H:%M:%SZ}"
    )
    arguments = (f"--from-inventory={inventory.manifest}", f"--from-export={export}")
    document = audit.json("--bucket=reports", *arguments)
    assert found(document) == [("missing", "y.txt")]
    assert document["rows"] == 1
    assert audit(*arguments) == 2
    assert (
        "is the manifest of an inventory of the bucket 'reports', not of 'uploads': give an inventory" in audit.errors
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--from-export=x"], "--from-export and --memory require --from-inventory"),
        (["--memory=2GB"], "--from-export and --memory require --from-inventory"),
        (
            ["--from-inventory", "--heads"],
            "--from-inventory cannot be used with --heads or --heads-sample, because an inventory",
        ),
        (["--from-inventory", "--heads-sample=5"], "Run audit with --heads-sample separately"),
        (["--from-inventory", "--all-buckets"], "Run audit for each bucket with --bucket NAME"),
        (["--from-inventory="], "the path is empty: give a folder, a manifest.json or an s3:// URL"),
        (["--from-inventory=s3://x"], "'s3://x' is not the URL of an inventory, such as s3://BUCKET/inventory"),
    ],
)
def test_contradictory_options_of_audit_from_an_inventory_are_an_error(
    audit: Audits, arguments: list[str], message: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        audit(*arguments)
    assert ended.value.code == 2
    assert message in audit.capsys.readouterr().err


def test_tool_audit_imports_duckdb_only_for_an_inventory() -> None:
    code = "import sys, operations.command, operations.tools.audit; print('duckdb' in sys.modules)"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout  # noqa: S603  constant text
    assert output == "False\n"


def test_inventory_that_the_tests_write_has_the_documented_format(tmp_path: Path) -> None:
    written: WrittenInventory = write_inventory(tmp_path, VERSIONS, created=datetime(2018, 1, 3, 2, tzinfo=UTC))
    manifest = json.loads(written.manifest.read_bytes())
    assert manifest["creationTimestamp"] == "1514944800000"
    assert manifest["destinationBucket"] == f"arn:aws:s3:::{LOG_BUCKET}"
    assert manifest["fileSchema"].startswith("message s3.inventory {  required binary bucket (STRING);  required bin")
    assert {each["key"].rpartition("/")[0] for each in manifest["files"]} == {"inventory/uploads/indexer/data"}
