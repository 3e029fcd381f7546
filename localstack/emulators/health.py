"""Sends health checks to a local emulator."""

from __future__ import annotations

import json
import ssl
import urllib.request
from pathlib import Path
from typing import Any


def get_json(url: str, ca_bundle: Path | None = None) -> dict[str, Any] | None:
    """Return the JSON object at a URL; None if there is no response or the response is not JSON. Uses no proxy.

    Args:
        url: http or https URL.
        ca_bundle: certificate with which the server is verified; None for the system's certificates.
    """
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    try:
        if ca_bundle:
            handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=ca_bundle)))
        with urllib.request.build_opener(*handlers).open(url, timeout=2) as response:
            content: dict[str, Any] = json.load(response)
    except (OSError, ValueError):
        return None
    return content
