"""Records the baselines of what users can see: `python -m tests.unit.baseline.record` writes the JSON files.

Each part runs in a process of its own, without the environment of this one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[2]
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "TZ": "UTC",
}
# file -> part -> module and arguments
FILES = {
    "resources": {"all": ["resources"]},
    "events": {part: ["indexer", part] for part in ("info", "debug", "traced", "unsampled")},
}


def compute(module: str, *arguments: str) -> Any:  # noqa: ANN401  JSON
    """Run one part and return its document."""
    command = [sys.executable, "-m", f"tests.unit.baseline.{module}", *arguments]
    environment = {"PATH": os.environ["PATH"], **ENVIRONMENT}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)  # noqa: S603  our own
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout)


def recorded(file: str, part: str) -> Any:  # noqa: ANN401  JSON
    """Return what a file says of one part."""
    return json.loads((FOLDER / f"{file}.json").read_text(encoding="utf-8"))[part]


def main() -> None:
    """Write both files."""
    with ThreadPoolExecutor() as pool:
        for file, parts in FILES.items():
            documents = dict(zip(parts, pool.map(lambda part: compute(*part), parts.values()), strict=True))
            text = json.dumps(documents, indent=1, sort_keys=True)
            (FOLDER / f"{file}.json").write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
