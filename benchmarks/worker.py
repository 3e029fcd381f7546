"""A function's process, as Lambda would run it, that measures itself: `python worker.py HANDLER FOLDER...`.

The folders come first on the path. It imports HANDLER (`module.function`) and writes a line of what that took; then,
for each line of JSON on its standard input, `{"events": N, "sampled": bool}`, it hands N events over and writes a line
about them. Nothing but the standard library is imported before the handler. What the handler prints goes to /dev/null,
and so does what it logs, through a handler of the root logger: Lambda's own bootstrap does both alike.
"""

import importlib
import json
import logging
import os
import sys
import time

KILOBYTES = 1024
TRACES = 16


class Context:
    """Lambda's context object."""

    function_name = "indexer"
    function_version = "$LATEST"
    memory_limit_in_mb = "512"
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:indexer"

    def __init__(self, number: int) -> None:
        self.aws_request_id = f"0f1d5a7e-0000-4000-8000-{number:012d}"

    def get_remaining_time_in_millis(self) -> int:
        """The whole time-out is left."""
        return 60_000


def event(number: int) -> dict[str, object]:
    """What S3 tells of one upload; fields as in https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html."""
    return {
        "Records": [
            {
                "eventVersion": "2.3",
                "eventSource": "aws:s3",
                "awsRegion": "us-east-1",
                "eventTime": "2026-01-31T12:00:00.123Z",
                "eventName": "ObjectCreated:Put",
                "userIdentity": {"principalId": "AWS:AIDAEXAMPLE"},
                "requestParameters": {"sourceIPAddress": "192.0.2.1"},
                "responseElements": {"x-amz-request-id": "79104EXAMPLEB723", "x-amz-id-2": "IOWQ4fDEXAMPLEQM"},
                "s3": {
                    "s3SchemaVersion": "1.0",
                    "configurationId": "uploads",
                    "bucket": {
                        "name": os.environ["TAP_BUCKET_NAME"],
                        "ownerIdentity": {"principalId": "A3NL1KOZZKExample"},
                        "arn": "arn:aws:s3:::" + os.environ["TAP_BUCKET_NAME"],
                    },
                    "object": {
                        "key": f"documents/2026/01/report+{number:08d}.pdf",
                        "size": 1024,
                        "eTag": "9a0364b9e99bb480dd25e1f0284c8555",
                        "versionId": "3sL4kqtJlcpXroDTDmJ.rmSpXd3dIbrH",
                        "sequencer": f"0055AED6{number:08X}",
                    },
                },
            }
        ]
    }


def resident_kilobytes() -> int:
    """Memory of this process that is in RAM now, from Linux; 0 elsewhere."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - pathlib would be imported for it
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // KILOBYTES
    except OSError:
        return 0


def main(handler: str, folders: list[str]) -> None:
    """Import the handler; then work until standard input ends."""
    out, sys.stdout = sys.stdout, open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - until the end
    logging.getLogger().addHandler(logging.StreamHandler(sys.stdout))
    sys.path[:0] = folders
    module, name = handler.rsplit(".", 1)
    wall, cpu = time.perf_counter(), time.process_time()
    handle = getattr(importlib.import_module(module), name)
    result = {"cpu_seconds": time.process_time() - cpu, "wall_seconds": time.perf_counter() - wall}
    out.write(json.dumps(result | {"modules": sorted(sys.modules)}) + "\n")
    out.flush()
    number = 0
    for line in sys.stdin:
        order = json.loads(line)
        events = [(event(number + each), Context(number + each)) for each in range(order["events"])]
        cpu = time.process_time()
        for each, context in events:
            number += 1
            sampled = int(order["sampled"])
            # few different ones: glibc's setenv keeps every value that it was ever given
            trace = f"1-5759e988-{number % TRACES:024x}"
            os.environ["_X_AMZN_TRACE_ID"] = f"Root={trace};Parent=53995c3f42cd8ad8;Sampled={sampled}"
            handle(each, context)
        result = {"cpu_seconds": time.process_time() - cpu, "resident_kilobytes": resident_kilobytes()}
        out.write(json.dumps(result) + "\n")
        out.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
