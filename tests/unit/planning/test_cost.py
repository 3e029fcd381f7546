from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest

import tap_stack
from operations.command import main
from operations.planning import bill as bills
from operations.planning import prices
from operations.planning.bill import BillingAssumptions, bill, cheaper_when_provisioned, s3_metadata, total
from operations.planning.prices import Price
from operations.planning.scenario import READ_CAPACITY, Load, StackSettings
from tests.unit.planning.scenarios import SERVICE_MS, settings

ROOT = Path(__file__).parents[3]
PER_DAY = 1_000_000 * 24 / 730  # a million files a month
MILLION = Load(per_day=PER_DAY, row_bytes=1024 - bills.ITEM_OVERHEAD_BYTES)


def dollars(load: Load, asked: StackSettings, *, free_tier: bool = False, months: int = 1) -> dict[str, float]:
    return {
        item.name: item.dollars for item in bill(load, asked, BillingAssumptions(months=months), free_tier=free_tier)
    }


def refuse(_: object) -> NoReturn:
    raise AssertionError("AWS was asked")


def test_a_million_files_are_billed_as_aws_bills_them() -> None:
    """By hand, of the price pages; rows of a kilobyte with what DynamoDB adds to each."""
    found = dollars(MILLION, settings(memory_mb=2048))
    assert found["S3 HEAD"] == pytest.approx(0.40)
    assert found["Lambda executions"] == pytest.approx(0.20)
    assert found["Lambda duration"] == pytest.approx(1_000_000 * SERVICE_MS / 1000 * 2 * 0.0000133334)
    assert found["DynamoDB writes"] == pytest.approx(2 * 100 * 730 * 0.00065)
    assert found["DynamoDB reads"] == pytest.approx(2 * 100 * 730 * 0.00013)
    assert found["DynamoDB storage"] == pytest.approx(2 * 1_000_000 / 1024**2 * 0.25)
    assert found["DynamoDB backup"] == pytest.approx(1_000_000 / 1024**2 * 0.20)
    assert found["Log ingestion"] == pytest.approx(1_000_000 * bills.LOG_BYTES / 1024**3 * 0.50)
    assert found["Dashboard"] == 3.00
    assert found["SQS and SNS"] == 0


def test_on_demand_each_file_is_a_write_of_the_table_and_one_of_the_index() -> None:
    found = dollars(MILLION, settings(on_demand=True))
    assert found["DynamoDB writes"] == pytest.approx(2 * 0.625)
    assert "DynamoDB reads" not in found
    large = replace(MILLION, row_bytes=3000)
    assert dollars(large, settings(on_demand=True))["DynamoDB writes"] == pytest.approx(6 * 0.625)


def test_both_ways_to_pay_cost_the_same_where_the_cheaper_one_changes() -> None:
    asked, assumptions = settings(), BillingAssumptions()
    load = replace(MILLION, per_day=cheaper_when_provisioned(MILLION, asked, assumptions))
    on_demand = replace(asked, on_demand=True)
    assert total(bill(load, asked, assumptions)) == pytest.approx(total(bill(load, on_demand, assumptions)))
    busier = replace(load, per_day=load.per_day * 1.1)
    assert total(bill(busier, asked, assumptions)) < total(bill(busier, on_demand, assumptions))


def test_rows_that_are_kept_cost_more_each_month() -> None:
    assert dollars(MILLION, settings(), months=24)["DynamoDB storage"] == pytest.approx(
        24 * dollars(MILLION, settings(), months=1)["DynamoDB storage"]
    )


def test_the_free_tier_is_taken_off_each_line_and_no_line_becomes_less_than_nothing() -> None:
    whole, less = dollars(MILLION, settings()), dollars(MILLION, settings(), free_tier=True)
    assert all(0 <= less[name] <= whole[name] for name in whole)
    assert less["Lambda executions"] == pytest.approx(0)
    assert less["DynamoDB writes"] == pytest.approx((200 - 25) * 730 * 0.00065)
    assert less["Alarms"] == pytest.approx((bills.ALARMS - 10) * 0.10)


def test_x_ray_samples_the_first_of_a_second_and_a_twentieth_of_the_others() -> None:
    assert bills._traced_per_second(0.001) == pytest.approx(0.001, rel=0.01)
    assert bills._traced_per_second(101) == pytest.approx(1 + 0.05 * 100)


def test_s3_metadata_has_a_monthly_price_for_each_object_only_above_a_billion() -> None:
    assert s3_metadata(MILLION, BillingAssumptions(months=1000)) == pytest.approx(0.30)
    assert s3_metadata(MILLION, BillingAssumptions(months=1001)) == pytest.approx(0.30 + 1001 * 0.10)


def test_metrics_alarms_and_defaults_are_those_of_the_stack() -> None:
    own = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8").split("## Of AWS")[0]
    metrics = 0
    for row in re.findall(r"^\| `TapStack` \|.*$", own, re.MULTILINE):
        for dimensions in row.split("|")[4].split(";"):
            metrics += len(tap_stack.FAILURE_REASONS) if "reason" in dimensions else 1
    assert metrics == bills.METRICS
    args = tap_stack.TapStackArgs()
    names = tap_stack.make_names(args, project="tapstack", account="123456789012", region="us-east-1")
    assert len(tap_stack.make_alarms(names, args)) == bills.ALARMS
    assert (args.read_capacity, args.log_retention_days) == (READ_CAPACITY, bills.LOG_DAYS)
    assert tap_stack.ACCESS_LOG_DAYS == bills.ACCESS_LOG_DAYS


def test_every_price_says_where_and_when_it_was_read() -> None:
    every = [value for value in vars(prices).values() if isinstance(value, Price)]
    assert len(every) > 15
    for price in every:
        assert price.dollars > 0
        assert price.per > 0
        assert re.fullmatch(r"20\d\d-\d\d", price.read)
        assert price.page


# The tool.


def test_the_bill_has_a_line_for_each_item_and_ends_with_its_sum(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cost", "--per-day", "50000"], connect=refuse) == 0
    lines = capsys.readouterr().out.splitlines()
    told = [float(amount.replace(",", "")) for line in lines for amount in re.findall(r" ([\d,]+\.\d\d) \$  ", line)]
    [said] = re.findall(r"^cost: ([\d,.]+) \$ a month in us-east-1 for 50,000 files a day", lines[-1])
    assert sum(told) == pytest.approx(float(said), abs=0.1)
    assert "provisioned capacity is cheaper from" in lines[-1]


def test_for_machines_the_bill_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cost", "--per-day", "50000", "--on-demand", "--json"], connect=refuse) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["tool"] == "cost"
    assert sum(item["dollars"] for item in told["items"]) == pytest.approx(told["total"], abs=0.01)
    assert told["other_capacity_mode_total"] > told["total"]


def test_readme_has_the_figures_of_the_tool() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for per_day in (1000, 50_000, 5_000_000):
        load, assumptions = Load(per_day=per_day), BillingAssumptions()
        figures = (
            total(bill(load, StackSettings(), assumptions)),
            total(bill(load, StackSettings(on_demand=True), assumptions)),
            s3_metadata(load, assumptions),
        )
        row = f"| {per_day:,} | " + " | ".join(f"${figure:,.2f}" for figure in figures) + " |"
        assert row in readme
    turn = cheaper_when_provisioned(Load(per_day=1), StackSettings(), BillingAssumptions())
    assert f"from {turn / 1_000_000:.1f} million files a day on" in readme
