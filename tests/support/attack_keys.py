"""Object keys that contain code for HTML pages, SQL, terminals and spreadsheets, for tests of escaping."""

from __future__ import annotations

ATTACK_KEYS = (
    "<script>alert(1)</script>.html",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</style><style>*{display:none}",
    "{{ 7 * 7 }}{% raw %}",
    "&lt;b&gt;&amp;",
    "javascript:alert(1)",
    "'; DROP TABLE objects; --",
    "' OR '1'='1",
    "a') UNION SELECT 1 --",
    "?$1:name%s{}",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-1+1",
    "@SUM(1+1)",
    "\t=1+1",
    "\r=1+1",
    "\x1b[2J\x1b[31mred\x1b]0;title\x07",
    "[red]markup[/red] [link=https://example.com]x[/link]",
    "\x9b31m",
    "\u202egpj.exe",
    "nul\x00l",
    "line\nfeed",
    "zero\u200bwidth\ufeff",
    "\u05e9\u05dc\u05d5\u05dd.txt",
    "\u65e5\u672c\u8a9e/\u30d5\u30a1\u30a4\u30eb.pdf",
    "x" * 1024,
)
