from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import tap_stack
from operations.planning import bill as bills
from operations.planning import prices
from operations.planning.bill import BillingAssumptions, bill, cheaper_when_provisioned, s3_metadata, total
from operations.planning.prices import Price
from operations.planning.scenario import READ_CAPACITY, Load, StackSettings
from tests.unit.planning.scenarios import SERVICE_MS, settings

if TYPE_CHECKING:
    from tests.unit.planning.conftest import Command

ROOT = Path(__file__).parents[3]
PER_DAY = 1_000_000 * 24 / 730  # This equals one million files per month.
MILLION = Load(per_day=PER_DAY, row_bytes=1024 - bills.ITEM_OVERHEAD_BYTES)
ON_DEMAND = settings(on_demand=True)


def dollars(load: Load, stack: StackSettings, *, free_tier: bool = False, months: int = 1) -> dict[str, float]:
    items = bill(load, stack, BillingAssumptions(months=months), free_tier=free_tier)
    return {item.name: item.dollars for item in items}


def test_bill_of_a_million_files_matches_the_price_pages() -> None:
    """The expected costs are calculated from AWS's price pages, with rows of 1 KB including DynamoDB's overhead."""
    expected = {
        "S3 HEAD": 0.40,
        "Lambda executions": 0.20,
        "Lambda duration": 1_000_000 * SERVICE_MS / 1000 * 2 * 0.0000133334,
        "DynamoDB writes": 2 * 100 * 730 * 0.00065,
        "DynamoDB reads": 2 * 100 * 730 * 0.00013,
        "DynamoDB storage": 2 * 1_000_000 / 1024**2 * 0.25,
        "DynamoDB backup": 1_000_000 / 1024**2 * 0.20,
        "Log ingestion": 1_000_000 * bills.LOG_BYTES / 1024**3 * 0.50,
        "Dashboard": 3.00,
        "SQS, SNS and SSM": 0.0,
    }
    billed = dollars(MILLION, settings(memory_mb=2048))
    assert {name: billed[name] for name in expected} == pytest.approx(expected)


def test_on_demand_bill_counts_the_writes_of_table_and_index() -> None:
    billed = dollars(MILLION, ON_DEMAND)
    assert billed["DynamoDB writes"] == pytest.approx(2 * 0.625)
    assert "DynamoDB reads" not in billed
    assert dollars(replace(MILLION, row_bytes=3000), ON_DEMAND)["DynamoDB writes"] == pytest.approx(6 * 0.625)


def test_provisioned_and_on_demand_cost_are_equal_at_the_break_even() -> None:
    assumptions = BillingAssumptions()

    def totals(factor: float) -> list[float]:
        load = replace(MILLION, per_day=factor * cheaper_when_provisioned(MILLION, settings(), assumptions))
        return [total(bill(load, stack, assumptions)) for stack in (settings(), ON_DEMAND)]

    provisioned, on_demand = totals(1)
    assert provisioned == pytest.approx(on_demand)
    provisioned, on_demand = totals(1.1)
    assert provisioned < on_demand


def test_storage_cost_is_proportional_to_the_number_of_months() -> None:
    one, many = (dollars(MILLION, settings(), months=months)["DynamoDB storage"] for months in (1, 24))
    assert many == pytest.approx(24 * one)


def test_free_tier_reduces_the_bill_but_no_item_below_zero() -> None:
    whole, less = dollars(MILLION, settings()), dollars(MILLION, settings(), free_tier=True)
    assert all(0 <= less[name] <= whole[name] for name in whole)
    assert less["Lambda executions"] == pytest.approx(0)
    assert less["DynamoDB writes"] == pytest.approx((200 - 25) * 730 * 0.00065)
    assert less["Alarms"] == pytest.approx((bills.ALARMS - 10) * 0.10)


def test_bill_counts_traces_by_the_default_sampling_rule_of_x_ray() -> None:
    assert bills._traced_per_second(0.001) == pytest.approx(0.001, rel=0.01)
    assert bills._traced_per_second(101) == pytest.approx(1 + 0.05 * 100)


def test_s3_metadata_inventory_is_free_up_to_a_billion_objects() -> None:
    assert s3_metadata(MILLION, BillingAssumptions(months=1000)) == pytest.approx(0.30)
    assert s3_metadata(MILLION, BillingAssumptions(months=1001)) == pytest.approx(0.30 + 1001 * 0.10)


def test_bill_assumptions_match_the_pulumi_program() -> None:
    own = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8").split("## AWS metrics")[0]
    rows = re.findall(r"^\| `TapStack` \|.*$", own, re.MULTILINE)
    dimensions = [each for row in rows for each in row.split("|")[4].split(";")]
    assert sum(len(tap_stack.FAILURE_REASONS) if "reason" in each else 1 for each in dimensions) == bills.METRICS
    args = tap_stack.TapStackArgs()
    names = tap_stack.make_names(args, project="tapstack", account="123456789012", region="us-east-1")
    assert len(tap_stack.make_alarms(names, args, region="us-east-1")) == bills.ALARMS
    assert (args.read_capacity, args.log_retention_days) == (READ_CAPACITY, bills.LOG_DAYS)
    assert tap_stack.ACCESS_LOG_DAYS == bills.ACCESS_LOG_DAYS


def test_each_price_has_a_source_page_and_a_month() -> None:
    every = [value for value in vars(prices).values() if isinstance(value, Price)]
    assert len(every) > 15
    for price in every:
        assert min(price.dollars, price.per) > 0
        assert re.fullmatch(r"20\d\d-\d\d", price.read)
        assert price.page


def test_cost_tool_prints_the_items_and_their_sum(run: Command) -> None:
    assert run("cost", "--per-day", "50000") == 0
    amounts = [float(amount.replace(",", "")) for amount in re.findall(r" ([\d,]+\.\d\d) \$  ", run.output)]
    [summed] = re.findall(r"^cost: ([\d,.]+) \$ a month in us-east-1 for 50,000 files a day", run.lines[-1])
    assert sum(amounts) == pytest.approx(float(summed), abs=0.1)
    assert "provisioned capacity is cheaper above" in run.lines[-1]


def test_cost_tool_prints_the_bill_as_one_json_document(run: Command) -> None:
    assert run("cost", "--per-day", "50000", "--on-demand", "--json") == 0
    document = json.loads(run.output)
    assert document["tool"] == "cost"
    assert sum(item["dollars"] for item in document["items"]) == pytest.approx(document["total"], abs=0.01)
    assert document["other_capacity_mode_total"] > document["total"]


def test_readme_contains_the_figures_of_the_cost_tool() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    stacks, assumptions = (StackSettings(), StackSettings(on_demand=True)), BillingAssumptions()
    for load in (Load(per_day=1000), Load(per_day=50_000), Load(per_day=5_000_000)):
        figures = [*(total(bill(load, each, assumptions)) for each in stacks), s3_metadata(load, assumptions)]
        row = f"| {load.per_day:,} | " + " | ".join(f"${figure:,.2f}" for figure in figures) + " |"
        assert row in readme
    break_even = cheaper_when_provisioned(Load(per_day=1), StackSettings(), assumptions)
    assert f"from {break_even / 1_000_000:.1f} million files a day on" in readme
