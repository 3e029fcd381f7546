"""Creates small Lambda functions on an emulator."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

from tests.support.waiting import WAITER_CONFIG

if TYPE_CHECKING:
    from tests.support.index import Client


def create_function(client: Client, name: str, code: str, *, role: str) -> None:
    """Create a Lambda function from the source of a module with a `handler`, and wait until it is active."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("main.py", code)
    client.create_function(
        FunctionName=name,
        Runtime="python3.13",
        Handler="main.handler",
        Role=role,
        Code={"ZipFile": archive.getvalue()},
        Timeout=30,
    )
    client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig=WAITER_CONFIG)
