"""The policy for a customer managed KMS key in docs/security.md."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.support.default_stack import KEY_ARN

SECURITY = Path(__file__).parents[2] / "docs" / "security.md"


def key_policy() -> dict[str, Any]:
    """Return the KMS key policy in docs/security.md, with the resource `*` replaced by KEY_ARN.

    In a key policy, `*` means the key that has the policy.
    """
    (text,) = re.findall(r"```json\n(\{\n.*?)```", SECURITY.read_text(encoding="utf-8"), re.DOTALL)
    policy: dict[str, Any] = json.loads(text)
    assert {each["Resource"] for each in policy["Statement"]} == {"*"}
    return {**policy, "Statement": [{**each, "Resource": KEY_ARN} for each in policy["Statement"]]}
