"""Resource handlers for CloudWatch log groups, alarms and dashboards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from localstack.deployers.resources.base import (
    Aws,
    Create,
    RegisterRemoval,
    Removal,
    ResourceResult,
    non_empty,
    tag_list,
)
from localstack.errors import HarnessError

if TYPE_CHECKING:
    from localstack.deployers.resources.inputs import Inputs


def log_group(name: str, inputs: Inputs, aws: Aws) -> Create:
    """Return a function that creates a CloudWatch log group. Args: see `ResourceHandler`."""
    group_name = aws.physical_name(name, inputs.get("name"))
    request = non_empty(
        tags=inputs.mapping("tags"), **inputs.select(kmsKeyId="kmsKeyId", logGroupClass="logGroupClass")
    )
    retention = inputs.get("retentionInDays")
    logs = aws.client("logs")

    def find() -> dict[str, Any] | None:
        groups: list[dict[str, Any]] = logs.describe_log_groups(logGroupNamePrefix=group_name)["logGroups"]
        return next((group for group in groups if group["logGroupName"] == group_name), None)

    def create(register_removal: RegisterRemoval) -> ResourceResult:
        logs.create_log_group(logGroupName=group_name, **request)
        register_removal(Removal(delete=lambda: logs.delete_log_group(logGroupName=group_name), exists=find))
        if retention:  # In Pulumi, 0 means that log events never expire.
            logs.put_retention_policy(logGroupName=group_name, retentionInDays=retention)
        if (group := find()) is None:
            raise HarnessError(f"the log group {group_name} was created, but does not exist")
        return ResourceResult(id=group_name, state={"name": group_name, "arn": group["arn"].removesuffix(":*")})

    return create


def metric_alarm(name: str, inputs: Inputs, aws: Aws) -> Create:
    """Return a function that creates a CloudWatch metric alarm. Args: see `ResourceHandler`."""
    alarm_name = aws.physical_name(name, inputs.get("name"))
    request = non_empty(
        Dimensions=_dimensions(inputs),
        Metrics=[_metric_query(query) for query in inputs.children("metricQueries")],
        Tags=tag_list(inputs.mapping("tags")),
        **inputs.select(
            ActionsEnabled="actionsEnabled",
            AlarmActions="alarmActions",
            AlarmDescription="alarmDescription",
            ComparisonOperator="comparisonOperator",
            DatapointsToAlarm="datapointsToAlarm",
            EvaluateLowSampleCountPercentile="evaluateLowSampleCountPercentiles",
            EvaluationPeriods="evaluationPeriods",
            ExtendedStatistic="extendedStatistic",
            InsufficientDataActions="insufficientDataActions",
            MetricName="metricName",
            Namespace="namespace",
            OKActions="okActions",
            Period="period",
            Statistic="statistic",
            Threshold="threshold",
            ThresholdMetricId="thresholdMetricId",
            TreatMissingData="treatMissingData",
            Unit="unit",
        ),
    )
    cloudwatch = aws.client("cloudwatch")

    def find() -> list[dict[str, Any]]:
        alarms: list[dict[str, Any]] = cloudwatch.describe_alarms(AlarmNames=[alarm_name])["MetricAlarms"]
        return alarms

    def find_when_evaluated() -> dict[str, Any]:
        """Return the alarm; retry while LocalStack evaluates it, because describing it may fail during that time."""
        found: list[dict[str, Any]] = []

        def state() -> str:
            try:
                found[:] = find()
            except ClientError as error:
                if error.response["Error"]["Code"] != "InternalError":
                    raise
                return "being evaluated"
            return "there"

        aws.wait_until(f"the alarm {alarm_name}", state, "there")
        return found[0]

    def create(register_removal: RegisterRemoval) -> ResourceResult:
        cloudwatch.put_metric_alarm(AlarmName=alarm_name, **request)
        register_removal(Removal(delete=lambda: cloudwatch.delete_alarms(AlarmNames=[alarm_name]), exists=find))
        return ResourceResult(id=alarm_name, state={"name": alarm_name, "arn": find_when_evaluated()["AlarmArn"]})

    return create


def dashboard(name: str, inputs: Inputs, aws: Aws) -> Create:
    """Return a function that creates a CloudWatch dashboard. Args: see `ResourceHandler`."""
    dashboard_name = aws.physical_name(name, inputs.get("dashboardName"))
    body = inputs.require("dashboardBody")
    cloudwatch = aws.client("cloudwatch")

    def get() -> dict[str, Any]:
        found: dict[str, Any] = cloudwatch.get_dashboard(DashboardName=dashboard_name)
        return found

    def exists() -> bool:
        # GetDashboard is not used here, because its error for a missing dashboard depends on the emulator.
        found = cloudwatch.list_dashboards(DashboardNamePrefix=dashboard_name).get("DashboardEntries", [])
        return any(each["DashboardName"] == dashboard_name for each in found)

    def create(register_removal: RegisterRemoval) -> ResourceResult:
        cloudwatch.put_dashboard(DashboardName=dashboard_name, DashboardBody=body)
        register_removal(
            Removal(delete=lambda: cloudwatch.delete_dashboards(DashboardNames=[dashboard_name]), exists=exists)
        )
        state = {"dashboardName": dashboard_name, "dashboardArn": get()["DashboardArn"]}
        return ResourceResult(id=dashboard_name, state=state)

    return create


def _metric_query(query: Inputs) -> dict[str, Any]:
    translated = query.select(
        Id="id",
        AccountId="accountId",
        Expression="expression",
        Label="label",
        Period="period",
        ReturnData="returnData",
    )
    if metric := query.child("metric"):
        names = non_empty(
            Dimensions=_dimensions(metric), **metric.select(MetricName="metricName", Namespace="namespace")
        )
        translated["MetricStat"] = {"Metric": names, **metric.select(Period="period", Stat="stat", Unit="unit")}
    return translated


def _dimensions(inputs: Inputs) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in sorted(inputs.mapping("dimensions").items())]
