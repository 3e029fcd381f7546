"""The environment that the stack gives the function, and what happens when it is another."""

from __future__ import annotations

import os

import pytest

from lambda_code.errors import ConfigurationError, TapStackError
from lambda_code.settings import Settings, on_lambda

ENVIRONMENT = {
    "TAP_BUCKET_NAME": "tapstack-dev-uploads-123456789012-us-east-1",
    "TAP_TABLE_NAME": "tapstack-dev-objects",
    "POWERTOOLS_SERVICE_NAME": "tapstack-dev",
    "POWERTOOLS_METRICS_NAMESPACE": "TapStack",
    "POWERTOOLS_LOG_LEVEL": "INFO",
    "TAP_DELETED_RETENTION_DAYS": "90",
}


def test_settings_are_what_the_stack_sets() -> None:
    assert Settings.from_env(ENVIRONMENT) == Settings(
        bucket_name="tapstack-dev-uploads-123456789012-us-east-1",
        table_name="tapstack-dev-objects",
        service="tapstack-dev",
        metrics_namespace="TapStack",
        log_level="INFO",
        deleted_retention_days=90,
        tracing=False,
    )


def test_settings_come_from_the_process_if_nobody_hands_them_in(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_LAMBDA_FUNCTION_NAME", raising=False)
    assert Settings.from_env() == Settings.from_env(ENVIRONMENT)
    assert not on_lambda()
    assert on_lambda({**os.environ, "AWS_LAMBDA_FUNCTION_NAME": "tapstack-dev-indexer"})


def test_there_is_tracing_where_there_is_a_daemon() -> None:
    assert Settings.from_env({**ENVIRONMENT, "AWS_XRAY_DAEMON_ADDRESS": "169.254.79.129:2000"}).tracing
    assert not Settings.from_env({**ENVIRONMENT, "AWS_XRAY_DAEMON_ADDRESS": ""}).tracing


@pytest.mark.parametrize("name", ENVIRONMENT)
def test_a_missing_variable_is_named_with_its_remedy(name: str) -> None:
    environ = {each: value for each, value in ENVIRONMENT.items() if each != name}
    with pytest.raises(ConfigurationError, match=f"environment variable {name} is not set; .*deploy the stack again"):
        Settings.from_env(environ)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TAP_BUCKET_NAME", ""),
        ("TAP_BUCKET_NAME", "ab"),
        ("TAP_BUCKET_NAME", "Uploads"),
        ("TAP_BUCKET_NAME", "a" * 64),
        ("TAP_BUCKET_NAME", "uploads\n"),
        ("TAP_TABLE_NAME", "no"),
        ("TAP_TABLE_NAME", "a b c"),
        ("TAP_TABLE_NAME", "a" * 256),
        ("POWERTOOLS_SERVICE_NAME", " "),
        ("POWERTOOLS_SERVICE_NAME", "a" * 256),
        ("POWERTOOLS_METRICS_NAMESPACE", "AWS/Lambda"),
        ("POWERTOOLS_METRICS_NAMESPACE", "two words"),
        ("POWERTOOLS_LOG_LEVEL", "info"),
        ("POWERTOOLS_LOG_LEVEL", "INFODEBUG"),
        ("POWERTOOLS_LOG_LEVEL", "TRACE"),
        *(("TAP_DELETED_RETENTION_DAYS", value) for value in ("", "-1", "1", "14", "3651", "9999", "90 ", "090", "٩٠")),
    ],
)
def test_a_bad_value_is_named_with_what_it_must_be(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_env({**ENVIRONMENT, name: value})
    assert str(caught.value).startswith(f"environment variable {name} is {value!r}; it must be ")
    assert isinstance(caught.value, TapStackError)


@pytest.mark.parametrize("level", ["DEBUG", "INFO", "WARNING", "ERROR"])
def test_every_log_level_of_the_configuration_is_accepted(level: str) -> None:
    assert Settings.from_env({**ENVIRONMENT, "POWERTOOLS_LOG_LEVEL": level}).log_level == level


def test_every_number_of_days_of_the_configuration_is_accepted() -> None:
    for days in (0, *range(15, 3651)):
        environ = {**ENVIRONMENT, "TAP_DELETED_RETENTION_DAYS": str(days)}
        assert Settings.from_env(environ).deleted_retention_days == days
