"""Objects that S3 accepts and careless code does not: keys, contents and headers, one difficulty per case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support.index import LONGEST_KEY_BYTES

MEGABYTE = 1024 * 1024


@dataclass(frozen=True, kw_only=True, eq=False)  # eq would keep it from being a key, because dictionaries do not hash
class Case:
    """One object to upload with a plain PutObject.

    `name` is the test's id. `headers` are further PutObject parameters by their boto3 names. `metadata` is
    the user metadata as sent; `told` is how a person reads it, where that differs from what was sent.
    """

    name: str
    key: str
    body: bytes = b"content\n"
    content_type: str | None = "application/octet-stream"
    metadata: Mapping[str, str] = field(default_factory=dict)
    told: Mapping[str, str] | None = None
    headers: Mapping[str, Any] = field(default_factory=dict)
    listable: bool = True  # False: XML cannot carry the key, so listing needs url encoding

    def parameters(self) -> dict[str, Any]:
        """The arguments of PutObject, but for the bucket."""
        given: dict[str, Any] = {"Key": self.key, "Body": self.body, "Metadata": dict(self.metadata)}
        if self.content_type is not None:
            given["ContentType"] = self.content_type
        return {**given, **self.headers}


def _keys() -> list[Case]:
    """Keys that break decoding, path handling, URL handling or the splitting of names."""
    return [
        Case(name="spaces", key="awkward/a report with  two spaces.pdf"),
        Case(name="plus", key="awkward/1+1=2.txt"),
        Case(name="percent", key="awkward/100%.txt"),
        Case(name="percent-escape-as-text", key="awkward/a%2Bb%20c%25.txt"),
        Case(name="plus-and-space-and-escape", key="awkward/a+b c%2B%2bd.txt"),
        Case(name="broken-percent-escape", key="awkward/50%zz%e9.txt"),
        Case(name="accents-composed", key="awkward/caf\u00e9.txt"),
        Case(name="accents-decomposed", key="awkward/cafe\u0301.txt"),
        Case(name="emoji", key="awkward/\U0001f680 launch \U0001f469\u200d\U0001f680.json"),
        Case(name="right-to-left", key="awkward/\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627.txt"),
        Case(name="japanese", key="awkward/\u5831\u544a\u66f8/\u56db\u534a\u671f.xlsx"),
        Case(name="beyond-the-basic-plane", key="awkward/\U00020000\U0001d11e.txt"),
        Case(name="invisible-characters", key="awkward/a\u200bb\u202ec\ufeffd.txt"),
        Case(name="folder-marker", key="awkward/folder/", body=b""),
        Case(name="folder-marker-with-content", key="awkward/full folder/", body=b"not empty"),
        Case(name="double-slash", key="awkward//double//slash.txt"),
        Case(name="leading-slash", key="/awkward/leading.txt"),
        Case(name="only-slashes", key="awkward///"),
        Case(name="single-dot-segment", key="awkward/./dot.txt"),
        Case(name="parent-segment", key="awkward/a/../b.txt"),
        Case(name="trailing-dots", key="awkward/ends with dots..."),
        Case(name="many-dots", key="awkward/v1.2.3.tar.gz"),
        Case(name="hidden-file", key="awkward/.env"),
        Case(name="hidden-file-with-extension", key="awkward/.config.yaml"),
        Case(name="no-extension", key="awkward/Makefile"),
        Case(name="extension-in-capitals", key="awkward/PHOTO.JPG"),
        Case(name="very-long-extension", key="awkward/x." + "e" * 300),
        Case(name="dot-in-folder-only", key="awkward/v1.2/README"),
        Case(name="quotes", key="awkward/\"double\" and 'single' `back`.txt"),
        Case(name="markup", key="awkward/<b>&amp;&lt;.html"),
        Case(name="url-characters", key="awkward/a?b=c&d#e;f:g@h,i!j$k(l)*m[n]{o}|p^.txt"),
        Case(name="backslash", key="awkward\\windows\\path.txt"),
        Case(name="tilde", key="awkward/~user/~.bak"),
        Case(name="tab-and-newline", key="awkward/tab\tnew\nline.txt"),
        Case(name="control-characters", key="awkward/bell\x07 escape\x1b delete\x7f.txt", listable=False),
        Case(name="null-as-a-name", key="null"),
        Case(name="one-letter", key="a"),
        Case(name="looks-like-a-number", key="0123.45e6"),
        Case(name="json-in-a-key", key='awkward/{"key": ["value"]}.json'),
        Case(name="longest-key", key=("awkward/" + "k" * LONGEST_KEY_BYTES)[:LONGEST_KEY_BYTES]),
        Case(name="longest-key-of-wide-characters", key="awkward/" + "\u20ac" * 338 + "zz"),
    ]


def _contents() -> list[Case]:
    """Bodies and content types."""
    return [
        Case(name="zero-bytes", key="awkward/empty.txt", body=b"", content_type="text/plain"),
        Case(name="one-zero-byte", key="awkward/zero.bin", body=b"\0"),
        Case(name="six-megabytes", key="awkward/large.bin", body=bytes(range(256)) * (6 * MEGABYTE // 256)),
        Case(name="no-content-type", key="awkward/untyped.txt", content_type=None),
        Case(
            name="content-type-with-parameters",
            key="awkward/typed.html",
            content_type='text/html; charset="utf-8"; profile="a,b"',
        ),
        Case(name="content-type-unknown", key="awkward/odd.type", content_type="x-nobody/knows+this"),
        Case(name="content-type-not-a-type", key="awkward/bad.type", content_type="what is this"),
        Case(name="type-contradicts-extension", key="awkward/really.csv", content_type="image/png"),
    ]


def _headers() -> list[Case]:
    """What a client may say about an object beside its content."""
    return [
        Case(
            name="user-metadata", key="awkward/meta.txt", metadata={"author": "Ada", "empty": "", "x-y_z.1": "a=b; c"}
        ),
        Case(
            name="user-metadata-beyond-ascii",
            key="awkward/meta-unicode.txt",
            metadata={"title": "=?UTF-8?B?w5xiZXJibGljayDwn5qA?=", "place": "=?UTF-8?Q?Z=C3=BCrich?="},
            told={"title": "Überblick \U0001f680", "place": "Zürich"},
        ),
        Case(name="user-metadata-at-its-limit", key="awkward/meta-2k.txt", metadata={"m" * 24: "v" * 2000}),
        Case(name="infrequent-access", key="awkward/ia.txt", headers={"StorageClass": "STANDARD_IA"}),
        Case(name="intelligent-tiering", key="awkward/it.txt", headers={"StorageClass": "INTELLIGENT_TIERING"}),
        Case(name="encryption-asked-for", key="awkward/sse.txt", headers={"ServerSideEncryption": "AES256"}),
        Case(name="checksum-sha256", key="awkward/sha256.txt", headers={"ChecksumAlgorithm": "SHA256"}),
        Case(name="checksum-sha1", key="awkward/sha1.txt", headers={"ChecksumAlgorithm": "SHA1"}),
        Case(
            name="every-other-header",
            key="awkward/headers.txt.gz",
            headers={
                "CacheControl": "no-cache",
                "ContentDisposition": 'attachment; filename="a b.txt"',
                "ContentEncoding": "gzip",
                "ContentLanguage": "de-CH",
                "Tagging": "purpose=test&a%20b=c%2Bd",
                "WebsiteRedirectLocation": "/elsewhere",
            },
        ),
    ]


CASES: tuple[Case, ...] = (*_keys(), *_contents(), *_headers())
