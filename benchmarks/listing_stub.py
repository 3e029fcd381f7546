"""Server that responds to ListObjectVersions with the latency of S3.

`python -m benchmarks.listing_stub NUMBER` prints the TCP port of the server, and exits when stdin is closed. The bucket
has NUMBER keys with one version each, in folders of different sizes.

A page of 1,000 versions takes 250 ms. Published measurements of S3 are 200 ms
(https://github.com/aws/aws-sdk-cpp/issues/369) and 300 ms (https://github.com/ClickHouse/ClickHouse/issues/65572).
"""

from __future__ import annotations

import sys
import threading
import time
from bisect import bisect_right
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

SECONDS_PER_REQUEST, SECONDS_PER_VERSION = 0.05, 0.0002
DAYS = 28
HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?><ListVersionsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    "<Name>uploads</Name><EncodingType>url</EncodingType>"
)


def keys(number: int) -> list[str]:
    """Return sorted object keys in folders of different sizes. The folder of the last day has almost half of them."""
    found = [f"images/{each * 2_654_435_761 % 2**32:08x}.jpg" for each in range(number // 10)]
    for each in range(number - len(found)):
        day = DAYS if each % 2 else each // 2 % DAYS + 1
        found.append(f"reports/2026/01/{day:02}/measurement-{each:09}.csv")
    return sorted(found)


def serve(number: int) -> ThreadingHTTPServer:
    """Return a server that listens on a free port and lists a bucket with a number of keys."""
    names = keys(number)
    versions = [_version(name, each).encode() for each, name in enumerate(names)]

    class Stub(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1  # With buffered output, HTTP headers and body are sent in one packet.

        def do_GET(self) -> None:
            """Respond to a ListObjectVersions request after the latency of S3."""
            query = parse_qs(urlsplit(self.path).query)
            first = bisect_right(names, query.get("key-marker", [""])[0])
            last = min(first + int(query["max-keys"][0]), len(names))
            time.sleep(SECONDS_PER_REQUEST + SECONDS_PER_VERSION * (last - first))
            body = HEAD.encode() + _position(last).encode() + b"".join(versions[first:last]) + b"</ListVersionsResult>"
            self.send_response(200)
            self.send_header("Content-Type", "application/xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Suppress the log line that `http.server` writes for each request."""

    def _position(last: int) -> str:
        if last == len(names):
            return "<IsTruncated>false</IsTruncated>"
        key, version_id = quote(names[last - 1]), _version_id(last - 1)
        position = f"<NextKeyMarker>{key}</NextKeyMarker><NextVersionIdMarker>{version_id}</NextVersionIdMarker>"
        return f"<IsTruncated>true</IsTruncated>{position}"

    return ThreadingHTTPServer(("127.0.0.1", 0), Stub)


def _version_id(number: int) -> str:
    return f"3sL4kqtJlcpXroDTDmJ+rmSp{number:08}"


def _version(key: str, number: int) -> str:
    """Return the XML element of an object version, with all fields that S3 returns."""
    fields: dict[str, Any] = {
        "Key": quote(key),
        "VersionId": _version_id(number),
        "IsLatest": "true",
        "LastModified": "2026-01-31T12:00:00.000Z",
        "ETag": f"&quot;{number:032x}&quot;",
        "ChecksumAlgorithm": "CRC64NVME",
        "ChecksumType": "FULL_OBJECT",
        "Size": number,
        "Owner": f"<ID>{'0' * 64}</ID>",
        "StorageClass": "STANDARD",
    }
    return f"<Version>{''.join(f'<{name}>{value}</{name}>' for name, value in fields.items())}</Version>"


def main() -> None:
    """Run the server until stdin is closed."""
    server = serve(int(sys.argv[1]))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
