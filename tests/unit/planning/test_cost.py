"""Tests of the calculated bill, and of the output of the tool `cost`."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import tap_stack
from operations.planning import bill as bills
from operations.planning import prices
from operations.planning.bill import alarm_count, bill, cheaper_when_provisioned, s3_metadata, total
from operations.planning.prices import Price
from operations.planning.savings import savings
from operations.planning.scenario import Load, StackSettings
from tests.support.default_stack import FULL
from tests.support.default_stack import ON_DEMAND as ON_DEMAND_CONFIG
from tests.support.nonempty import nonempty
from tests.support.synth import synth
from tests.unit.planning.scenarios import SERVICE_MS, constant, settings

if TYPE_CHECKING:
    from tests.unit.planning.conftest import Command

ROOT = Path(__file__).parents[3]
PER_DAY = 1_000_000 * 24 / 730  # files per day in a load of one million files per month (730 hours)
MILLION = Load(per_day=PER_DAY, row_bytes=1024 - bills.ITEM_OVERHEAD_BYTES)
ON_DEMAND = settings(billing="on-demand")
GIBIBYTES = 1_000_000 / 1024**2  # size of one million rows of 1 KB in GiB


def dollars(load: Load, stack: StackSettings, *, free_tier: bool = False, months: int = 1) -> dict[str, float]:
    return {item.part: item.dollars for item in bill(load, stack, months=months, free_tier=free_tier)}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        pytest.param(
            {},
            {
                "s3_requests": 0.40,
                "indexer_requests": 0.20,
                "indexer_duration": 1_000_000 * SERVICE_MS / 1000 * 2 * 0.0000133334,
                "table_writes": 100 * 730 * 0.00065,
                "index_writes": 100 * 730 * 0.00065,
                "table_reads": 100 * 730 * 0.00013,
                "index_reads": 100 * 730 * 0.00013,
                "table_storage": GIBIBYTES * 0.25,
                "index_storage": GIBIBYTES * 0.25,
                "backup": GIBIBYTES * 0.20,
                "log_ingestion": 1_000_000 * 2000 / 1024**3 * 0.50,
                "log_storage": 1_000_000 * 24 / 730 * 2000 / 1024**3 * 30 * 0.15 * 0.03,
                "metrics": 14 * 0.30,
                "dashboard": 3.00,
                "other": 0.0,
            },
            id="defaults",
        ),
        pytest.param(
            {"billing": "on-demand"},
            {"table_writes": 0.625, "index_writes": 0.625, "table_reads": 0.0, "index_reads": None},
            id="on demand",
        ),
        pytest.param(
            {"table_class": "infrequent-access"},
            {
                "table_writes": 100 * 730 * 0.00081,
                "index_writes": 100 * 730 * 0.00081,
                "table_reads": 100 * 730 * 0.00016,
                "table_storage": GIBIBYTES * 0.10,
                "index_storage": GIBIBYTES * 0.10,
                "backup": GIBIBYTES * 0.20,
            },
            id="infrequent access",
        ),
        pytest.param(
            {"table_class": "infrequent-access", "billing": "on-demand"},
            {"table_writes": 0.78, "index_writes": 0.78},
            id="infrequent access on demand",
        ),
        pytest.param(
            {"index_projection": "keys-only"},
            {"table_storage": GIBIBYTES * 0.25, "index_storage": 1_000_000 * 300 / 1024**3 * 0.25},
            id="keys in the index",
        ),
        pytest.param(
            {"read_capacity": 10, "write_capacity": 20},
            {"table_reads": 10 * 730 * 0.00013, "index_writes": 20 * 730 * 0.00065},
            id="capacity",
        ),
        pytest.param(
            {"architecture": "x86_64", "memory_mb": 4096},
            {"indexer_duration": 1_000_000 * SERVICE_MS / 1000 * 4 * 0.0000166667},
            id="x86_64",
        ),
        pytest.param(
            {"log_level": "WARNING"}, {"log_ingestion": 1_000_000 * 1300 / 1024**3 * 0.50}, id="without indexer's line"
        ),
        pytest.param(
            {"log_retention_days": 365},
            # The bill is that of the first month, so it contains the storage of one month of log lines.
            {"log_storage": 1_000_000 * 2000 / 1024**3 * 0.15 * 0.03},
            id="long retention",
        ),
        pytest.param(
            {"customer_key": True},
            {"key": 1.0, "key_requests": (2 * 0.01 * 1_000_000 + 12 * 730) / 10_000 * 0.03},
            id="customer managed key",
        ),
        pytest.param({"event_bridge": True}, {"event_bridge": 1.00}, id="EventBridge for the upload bucket"),
        pytest.param(
            {"inventory": True},
            {"inventory": 730 / 24 * 0.0025, "inventory_storage": 1_000_000 * 100 * 14 / 1024**3 * 0.023},
            id="daily inventories",
        ),
        pytest.param(
            {"analytics": True},
            {
                # The bill contains four exports. A row has 1,024 bytes, and its export a fifth of this size.
                "exports": 4 * 1_000_000 * 1024 / 1024**3 * 0.10,
                "export_storage": 4 * 30 / (730 / 24) * 1_000_000 * 1024 / 5 / 1024**3 * 0.023,
                "athena": 4 * 20 * 1_000_000 * 1024 / 5 / 1024**4 * 5.00,
            },
            id="exports and Athena",
        ),
        pytest.param(
            {"analytics": True, "export_retention_days": 15},
            {"export_storage": 4 * 15 / (730 / 24) * 1_000_000 * 1024 / 5 / 1024**3 * 0.023},
            id="short retention of exports",
        ),
    ],
)
def test_bill_of_a_million_files_matches_the_price_pages(
    changed: dict[str, Any], expected: dict[str, float | None]
) -> None:
    """The expected costs were calculated from AWS's price pages. A row has 1 KB including DynamoDB's overhead."""
    billed = dollars(MILLION, settings(**{"memory_mb": 2048} | changed))
    assert {part: billed.get(part) for part in expected} == pytest.approx(expected)


def test_bill_has_exports_only_with_analytics_and_at_least_10_mb_per_athena_query() -> None:
    assert not {"exports", "export_storage", "athena"} & dollars(MILLION, settings()).keys()
    one = replace(MILLION, per_day=1)
    assert dollars(one, settings(analytics=True))["athena"] == pytest.approx(80 * 10 * 1024**2 / 1024**4 * 5.00)


def test_bill_of_the_inspector_contains_executions_reads_logs_and_content() -> None:
    """Without content, a row has 1,024 bytes in the table. The inspector runs for 308 ms per file on average."""
    stack = settings(
        billing="on-demand", latencies=replace(constant(), inspect=(300, 300)), inspect_content=True, customer_key=True
    )
    added = {"inspector_requests", "inspector_duration", "inspector_reads"}
    with_inspector, without = dollars(MILLION, stack), dollars(MILLION, replace(stack, inspect_content=False))
    assert with_inspector.keys() - without.keys() == added
    difference = {part: cost - without.get(part, 0.0) for part, cost in with_inspector.items()}
    gets = 1.3 * 1_000_000
    assert {part: cost for part, cost in difference.items() if cost} == pytest.approx(
        {
            "inspector_requests": 0.20,
            "inspector_duration": 1_000_000 * 0.308 * 0.5 * 0.0000133334,
            "inspector_reads": gets / 1000 * 0.0004,
            # A row with the attribute `content` has 1,124 bytes, so that a write of the row consumes two units.
            "table_writes": 2 * 0.625,
            "index_writes": 2 * 0.625,
            "table_storage": 1_000_000 * 200 / 1024**3 * 0.25,
            "index_storage": 1_000_000 * 200 / 1024**3 * 0.25,
            "backup": 1_000_000 * 200 / 1024**3 * 0.20,
            "log_ingestion": 1_000_000 * 2200 / 1024**3 * 0.50,
            "log_storage": 1_000_000 * 24 / 730 * 2200 / 1024**3 * 30 * 0.15 * 0.03,
            "access_logs": gets * 24 / 730 * 600 * 90 / 1024**3 * 0.023,
            "metrics": bills.INSPECTOR_METRICS * 0.30,
            "alarms": bills.INSPECTOR_ALARMS * 0.10,
            "traces": without["traces"],
            "key_requests": (0.01 * gets + 12 * 730) / 10_000 * 0.03,
        }
    )
    keys_only = replace(stack, index_projection="keys-only")
    billed = dollars(MILLION, keys_only)
    assert (billed["table_writes"], billed["index_writes"]) == pytest.approx((3 * 0.625, 0.625))


def test_auto_scaling_bills_the_mean_capacity_for_rows_and_content() -> None:
    stack = settings(max_capacity=400, inspect_content=True)
    billed = dollars(Load(per_day=140 * 86_400), stack)
    assert billed["table_writes"] == pytest.approx(400 * 730 * 0.00065)


def test_on_demand_bill_counts_write_units_of_table_and_index_separately() -> None:
    large = replace(MILLION, row_bytes=3000)
    assert dollars(large, ON_DEMAND)["index_writes"] == pytest.approx(3 * 0.625)
    billed = dollars(large, replace(ON_DEMAND, index_projection="keys-only"))
    assert (billed["table_writes"], billed["index_writes"]) == pytest.approx((3 * 0.625, 0.625))


@pytest.mark.parametrize(
    ("per_second", "units"),
    [(0, 100), (70, 100), (140, 200), (1000, 400)],
)
def test_auto_scaling_bills_the_mean_capacity_within_its_limits(per_second: float, units: int) -> None:
    billed = dollars(Load(per_day=per_second * 86_400), settings(max_capacity=400))
    assert billed["table_writes"] == pytest.approx(units * 730 * 0.00065)


@pytest.mark.parametrize("changed", [{}, {"index_projection": "keys-only"}, {"table_class": "infrequent-access"}])
def test_provisioned_and_on_demand_cost_are_equal_at_the_break_even(changed: dict[str, Any]) -> None:
    stack = settings(**changed)

    def totals(factor: float) -> list[float]:
        load = replace(MILLION, per_day=factor * cheaper_when_provisioned(MILLION, stack))
        # The capacity alarms, which exist only with provisioned capacity, are not part of the break-even.
        return [
            sum(cost for part, cost in dollars(load, replace(stack, billing=billing)).items() if part != "alarms")
            for billing in ("provisioned", "on-demand")
        ]

    provisioned, on_demand = totals(1)
    assert provisioned == pytest.approx(on_demand)
    provisioned, on_demand = totals(1.1)
    assert provisioned < on_demand


def test_storage_cost_on_the_bill_is_proportional_to_the_number_of_months() -> None:
    one, many = (dollars(MILLION, settings(), months=months)["table_storage"] for months in (1, 24))
    assert many == pytest.approx(24 * one)


def test_free_tier_reduces_the_bill_but_no_item_below_zero() -> None:
    whole, less = dollars(MILLION, settings()), dollars(MILLION, settings(), free_tier=True)
    assert all(0 <= less[part] <= whole[part] for part in nonempty(whole))
    assert less["indexer_requests"] == pytest.approx(0)
    # The free tier is subtracted once from the sum of table and index.
    assert less["table_writes"] + less["index_writes"] == pytest.approx((200 - 25) * 730 * 0.00065)
    assert less["alarms"] == pytest.approx((alarm_count(settings()) - 10) * 0.10)


def test_bill_counts_traces_by_the_default_sampling_rule_of_x_ray() -> None:
    assert bills._traced_per_second(0.001) == pytest.approx(0.001, rel=0.01)
    assert bills._traced_per_second(101) == pytest.approx(1 + 0.05 * 100)


def test_bill_of_an_s3_metadata_inventory_is_zero_up_to_a_billion_objects() -> None:
    assert s3_metadata(MILLION, months=1000) == pytest.approx(0.30)
    assert s3_metadata(MILLION, months=1001) == pytest.approx(0.30 + 1001 * 0.10)


@pytest.mark.parametrize(
    ("config", "stack"),
    [
        ({}, StackSettings()),
        (
            FULL,
            StackSettings(
                max_capacity=400, upload_alarm=True, audit_alarm=True, mismatch_alarm=True, existing_buckets=2
            ),
        ),
        (ON_DEMAND_CONFIG, StackSettings(billing="on-demand")),
        ({"inspectContent": "false"}, StackSettings(inspect_content=False)),
    ],
    ids=["defaults", "auto scaling", "on demand", "no inspector"],
)
def test_bill_counts_the_alarms_and_dashboards_that_the_stack_creates(
    config: dict[str, str], stack: StackSettings
) -> None:
    created = synth(**config)
    scaling = 4 * len(created.all("aws:appautoscaling/policy:Policy"))
    assert alarm_count(stack) == len(created.all("MetricAlarm")) + scaling
    assert len(created.all("Dashboard")) == bills.DASHBOARDS


def test_bill_has_the_numbers_of_metrics_and_retention_days_of_the_stack() -> None:
    own = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8").split("## AWS metrics")[0]
    rows = re.findall(r"^\| `TapStack` \|.*$", own, re.MULTILINE)
    dimensions = [each for row in rows for each in row.split("|")[4].split(";")]
    assert sum(len(tap_stack.FAILURE_REASONS) if "reason" in each else 1 for each in dimensions) == (
        bills.METRICS + bills.EXISTING_BUCKET_METRICS + bills.INSPECTOR_METRICS
    )
    assert tap_stack.ACCESS_LOG_DAYS == bills.ACCESS_LOG_DAYS
    assert tap_stack.INVENTORY_DAYS == bills.INVENTORY_DAYS
    assert tap_stack.ANALYTICS_DEFAULTS["export_retention_days"] == StackSettings().export_retention_days


def test_each_price_has_a_source_page_and_a_month() -> None:
    tables = [price for table in prices.TABLE.values() for price in vars(table).values()]
    every = [each for each in vars(prices).values() if isinstance(each, Price)]
    every += [*tables, *prices.LAMBDA_DURATION.values()]
    every += [each.storage for each in prices.STORAGE_CLASSES.values()]
    assert len(every) > 25
    for price in nonempty(every):
        assert min(price.dollars, price.per) > 0
        assert price.read in prices.MONTHS_READ
        assert re.fullmatch(r"https://aws\.amazon\.com/[a-z0-9/-]+/pricing/([a-z-]+/)?", price.source)
    assert all(re.fullmatch(r"20\d\d-(0[1-9]|1[0-2])", month) for month in nonempty(prices.MONTHS_READ))


def test_cost_tool_prints_the_items_and_their_sum(run: Command) -> None:
    assert run("cost", "--per-day", "50000") == 0
    [summed] = re.findall(r"^cost: \$([\d,.]+) a month in us-east-1 for 50,000 files a day", run.lines[-1])
    [at] = [number for number, line in enumerate(run.lines) if line.startswith("cheaper configuration")]
    amounts = [float(line.split(" $")[1].split()[0].replace(",", "")) for line in run.lines[: at - 2]]
    assert sum(amounts) == pytest.approx(float(summed), abs=0.1)
    assert run.lines[at - 2] == (
        "note: the list prices were read between 2025-11 and 2026-09, and not compared with AWS's live price list"
    )
    assert "provisioned capacity is cheaper above" in run.lines[-1]
    assert any(line.startswith("billing on-demand  ") for line in run.lines[at:])


def test_cost_tool_prints_the_bill_as_one_json_document(run: Command) -> None:
    assert run("cost", "--per-day", "50000", "--on-demand", "--json") == 0
    document = json.loads(run.output)
    assert document["tool"] == "cost"
    assert sum(item["dollars"] for item in document["items"]) == pytest.approx(document["total"], abs=0.01)
    assert document["other_capacity_mode_total"] > document["total"]
    assert document["settings"]["billing"] == "on-demand"
    assert document["items"][0]["price"]["source"] == "https://aws.amazon.com/dynamodb/pricing/on-demand/"
    best = document["savings"][0]
    assert best["only_new_tables"]
    assert best["total"] - best["difference"] == pytest.approx(document["total"], abs=0.02)


@pytest.mark.parametrize(
    ("arguments", "part", "expected"),
    [
        (["--billing=on-demand"], "table_writes", 1.52083 * 0.625),
        (["--table-class=infrequent-access"], "table_writes", 100 * 730 * 0.00081),
        (["--index-projection=keys-only"], "index_storage", 18.25e6 * 300 / 1024**3 * 0.25),
        (["--read-capacity=7"], "index_reads", 7 * 730 * 0.00013),
        (["--log-retention-days=3"], "log_storage", 50_000 * 3 * 2000 / 1024**3 * 0.15 * 0.03),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_each_cost_option_changes_its_item_of_the_bill(
    run: Command, arguments: list[str], part: str, expected: float
) -> None:
    assert run("cost", "--per-day=50000", "--no-inspect-content", "--json", *arguments) == 0
    [item] = [each for each in json.loads(run.output)["items"] if each["part"] == part]
    assert item["dollars"] == pytest.approx(expected, rel=1e-3, abs=1e-4)


def test_cost_tool_prints_a_note_about_a_load_that_the_stack_cannot_process(run: Command) -> None:
    note = "note: the stack cannot process this load with these settings: `capacity` suggests changes"
    run("cost", "--per-day=5000000")
    assert note not in run.lines
    run("cost", "--per-day=50000000")
    assert note in run.lines


PEAKS = "provisioned capacity was compared for a constant load: check your peaks with `tapstack capacity --burst N/s`"


def test_cost_tool_prints_a_note_about_peaks_if_it_suggests_provisioned_capacity(run: Command) -> None:
    run("cost", "--per-day=5000000", "--billing=on-demand")
    assert any(line.startswith("billing provisioned") for line in run.lines)
    assert f"note: {PEAKS}" in run.lines
    run("cost", "--per-day=1000")
    assert PEAKS not in run.output
    run("cost", "--per-day=5000000", "--billing=on-demand", "--json")
    assert PEAKS in json.loads(run.output)["notes"]


def test_cost_tool_prints_the_keys_to_remove_if_it_suggests_on_demand_billing(run: Command) -> None:
    note = "note: before billing on-demand, run `pulumi config rm` for readCapacity, writeCapacity and maxCapacity"
    run("cost", "--per-day=1000")
    assert note in run.lines
    run("cost", "--per-day=1000", "--billing=on-demand")
    assert note not in run.lines


@pytest.mark.parametrize("options", [["--read-capacity=5000"], ["--write-capacity=1", "--max-capacity=200"]])
def test_cost_tool_omits_a_break_even_that_exceeds_the_capacity(run: Command, options: list[str]) -> None:
    run("cost", "--per-day=1000", *options)
    assert "provisioned capacity is cheaper" not in run.output
    run("cost", "--per-day=1000")
    assert "for a constant load, provisioned capacity is cheaper above 1,497,600 files a day" in run.lines[-1]
    run("cost", "--per-day=1000", "--no-inspect-content")
    assert "for a constant load, provisioned capacity is cheaper above 2,995,200 files a day" in run.lines[-1]


@pytest.mark.parametrize("tool", ["cost", "capacity"])
def test_on_demand_and_billing_are_mutually_exclusive_options(
    run: Command, capsys: pytest.CaptureFixture[str], tool: str
) -> None:
    with pytest.raises(SystemExit, match="2"):
        run(tool, "--per-day=1", "--on-demand", "--billing=provisioned")
    assert "argument --billing: not allowed with argument --on-demand" in capsys.readouterr().err


GOALS = [Load(per_day=1000), Load(per_day=50_000), Load(per_day=5_000_000)]


def test_bill_of_small_and_large_loads_is_within_the_cost_goals() -> None:
    """The cost goals are for a stack without inspector. The inspector adds at most five dollars to a small load."""
    small, _, large = GOALS
    without = StackSettings(billing="on-demand", inspect_content=False)
    assert total(bill(small, without)) <= 12
    assert total(bill(small, replace(without, inspect_content=True))) <= total(bill(small, without)) + 5
    before = 1315.87  # monthly bill of the default configuration in the release before table classes were supported
    for stack in (
        StackSettings(table_class="infrequent-access", inspect_content=False),
        StackSettings(table_class="infrequent-access", index_projection="keys-only", inspect_content=False),
    ):
        assert total(bill(large, stack)) <= 0.75 * before


def test_readme_contains_the_figures_of_the_cost_tool() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert readme.index("## What it costs") < readme.index("## Deploy")
    for load in nonempty(GOALS):
        default = StackSettings()
        best = savings(load, default)[0]
        stacks = (default, replace(default, billing="on-demand"), best.settings)
        pairs = [[total(bill(load, replace(each, inspect_content=on))) for on in (True, False)] for each in stacks]
        cells = [f"{load.per_day:,}", *(f"${most:,.2f} (${least:,.2f})" for most, least in pairs)]
        cells[3] += ": " + ", ".join(f"`{change.split()[1]}`" for change in best.change.split(", "))
        row = f"| {' | '.join(cells)} | ${s3_metadata(load):,.2f} |"
        assert row in readme
        assert savings(load, replace(default, inspect_content=False))[0].change == best.change
    break_even = cheaper_when_provisioned(Load(per_day=1), StackSettings())
    assert f"from {break_even / 1_000_000:.1f} million files a day on" in readme
