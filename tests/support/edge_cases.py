"""Objects that S3 accepts but careless code mishandles: unusual keys, contents and headers, one per test case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support.index import LONGEST_KEY_BYTES

MEGABYTE = 1024 * 1024


# With eq=False, instances are hashed by identity, because their dictionaries are not hashable.
@dataclass(frozen=True, kw_only=True, eq=False)
class UploadCase:
    """Test case for an object that is uploaded with PutObject.

    Attributes:
        name: ID of the parametrized test.
        metadata: user metadata as sent to S3.
        decoded_metadata: expected user metadata in the row; None if it equals `metadata`.
        headers: further parameters of PutObject.
        listable: False if XML cannot represent the key, so that a listing must request URL encoding.
    """

    name: str
    key: str
    body: bytes = b"content\n"
    content_type: str | None = "application/octet-stream"
    metadata: Mapping[str, str] = field(default_factory=dict)
    decoded_metadata: Mapping[str, str] | None = None
    headers: Mapping[str, Any] = field(default_factory=dict)
    listable: bool = True

    def parameters(self) -> dict[str, Any]:
        """Return the arguments of the PutObject call for this test case, except the bucket."""
        content_type = {} if self.content_type is None else {"ContentType": self.content_type}
        return {"Key": self.key, "Body": self.body, "Metadata": dict(self.metadata), **content_type, **self.headers}


KEYS = {
    "spaces": "edge/a report with  two spaces.pdf",
    "plus": "edge/1+1=2.txt",
    "percent": "edge/100%.txt",
    "percent-escape-as-text": "edge/a%2Bb%20c%25.txt",
    "plus-and-space-and-escape": "edge/a+b c%2B%2bd.txt",
    "broken-percent-escape": "edge/50%zz%e9.txt",
    "accents-composed": "edge/caf\u00e9.txt",
    "accents-decomposed": "edge/cafe\u0301.txt",
    "emoji": "edge/\U0001f680 launch \U0001f469\u200d\U0001f680.json",
    "right-to-left": "edge/\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627.txt",
    "japanese": "edge/\u5831\u544a\u66f8/\u56db\u534a\u671f.xlsx",
    "beyond-the-basic-plane": "edge/\U00020000\U0001d11e.txt",
    "invisible-characters": "edge/a\u200bb\u202ec\ufeffd.txt",
    "double-slash": "edge//double//slash.txt",
    "leading-slash": "/edge/leading.txt",
    "only-slashes": "edge///",
    "single-dot-segment": "edge/./dot.txt",
    "parent-segment": "edge/a/../b.txt",
    "trailing-dots": "edge/ends with dots...",
    "many-dots": "edge/v1.2.3.tar.gz",
    "hidden-file": "edge/.env",
    "hidden-file-with-extension": "edge/.config.yaml",
    "no-extension": "edge/Makefile",
    "extension-in-capitals": "edge/PHOTO.JPG",
    "very-long-extension": "edge/x." + "e" * 300,
    "dot-in-folder-only": "edge/v1.2/README",
    "quotes": "edge/\"double\" and 'single' `back`.txt",
    "markup": "edge/<b>&amp;&lt;.html",
    "url-characters": "edge/a?b=c&d#e;f:g@h,i!j$k(l)*m[n]{o}|p^.txt",
    "backslash": "edge\\windows\\path.txt",
    "tilde": "edge/~user/~.bak",
    "tab-and-newline": "edge/tab\tnew\nline.txt",
    "null-as-a-name": "null",
    "one-letter": "a",
    "looks-like-a-number": "0123.45e6",
    "json-in-a-key": 'edge/{"key": ["value"]}.json',
    "longest-key": ("edge/" + "k" * LONGEST_KEY_BYTES)[:LONGEST_KEY_BYTES],
    "longest-key-of-wide-characters": "edge/" + "\u20ac" * 339 + "zz",
}
"""Object keys that break careless decoding or careless handling of paths, URLs and file names, by test ID."""

EDGE_CASES = (
    *(UploadCase(name=name, key=key) for name, key in KEYS.items()),
    UploadCase(name="folder-marker", key="edge/folder/", body=b""),
    UploadCase(name="folder-marker-with-content", key="edge/full folder/", body=b"not empty"),
    UploadCase(name="control-characters", key="edge/bell\x07 escape\x1b delete\x7f.txt", listable=False),
    UploadCase(name="zero-bytes", key="edge/empty.txt", body=b"", content_type="text/plain"),
    UploadCase(name="one-zero-byte", key="edge/zero.bin", body=b"\0"),
    UploadCase(name="six-megabytes", key="edge/large.bin", body=bytes(range(256)) * (6 * MEGABYTE // 256)),
    UploadCase(name="no-content-type", key="edge/untyped.txt", content_type=None),
    UploadCase(
        name="content-type-with-parameters",
        key="edge/typed.html",
        content_type='text/html; charset="utf-8"; profile="a,b"',
    ),
    UploadCase(name="content-type-unknown", key="edge/odd.type", content_type="x-nobody/knows+this"),
    UploadCase(name="content-type-not-a-type", key="edge/bad.type", content_type="what is this"),
    UploadCase(name="type-contradicts-extension", key="edge/really.csv", content_type="image/png"),
    UploadCase(name="user-metadata", key="edge/meta.txt", metadata={"author": "Ada", "empty": "", "x-y_z.1": "a=b; c"}),
    UploadCase(
        name="user-metadata-beyond-ascii",
        key="edge/meta-unicode.txt",
        metadata={"title": "=?UTF-8?B?w5xiZXJibGljayDwn5qA?=", "place": "=?UTF-8?Q?Z=C3=BCrich?="},
        decoded_metadata={"title": "Überblick \U0001f680", "place": "Zürich"},
    ),
    UploadCase(name="user-metadata-at-its-limit", key="edge/meta-2k.txt", metadata={"m" * 24: "v" * 2000}),
    UploadCase(name="infrequent-access", key="edge/ia.txt", headers={"StorageClass": "STANDARD_IA"}),
    UploadCase(name="intelligent-tiering", key="edge/it.txt", headers={"StorageClass": "INTELLIGENT_TIERING"}),
    UploadCase(name="requested-encryption", key="edge/sse.txt", headers={"ServerSideEncryption": "AES256"}),
    UploadCase(name="checksum-sha256", key="edge/sha256.txt", headers={"ChecksumAlgorithm": "SHA256"}),
    UploadCase(name="checksum-sha1", key="edge/sha1.txt", headers={"ChecksumAlgorithm": "SHA1"}),
    UploadCase(
        name="every-other-header",
        key="edge/headers.txt.gz",
        headers={
            "CacheControl": "no-cache",
            "ContentDisposition": 'attachment; filename="a b.txt"',
            "ContentEncoding": "gzip",
            "ContentLanguage": "de-CH",
            "Tagging": "purpose=test&a%20b=c%2Bd",
            "WebsiteRedirectLocation": "/elsewhere",
        },
    ),
)
