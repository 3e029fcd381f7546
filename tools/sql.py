"""Write the list of the columns of the relation `objects` into docs/sql.md.

Run ``python -m tools.sql`` after each change of `operations.analytics.columns`. The rest of docs/sql.md is written by
hand.
"""

from __future__ import annotations

from pathlib import Path

from operations.analytics.columns import COLUMNS

DOCUMENT = Path(__file__).parents[1] / "docs" / "sql.md"
BEGIN, END = "<!-- written by `python -m tools.sql` from operations/analytics/columns.py -->\n", "<!-- end -->\n"


def document(text: str) -> str:
    """Return the text of docs/sql.md with the current columns.

    Args:
        text: the present text of docs/sql.md.
    """
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    sources = {each.name: f"`{'.'.join(each.path)}`" if each.path else "calculated" for each in COLUMNS}
    rows = [f"| `{each.name}` | {each.type} | {sources[each.name]} | {each.description} |" for each in COLUMNS]
    table = "\n".join(["| Column | Type | Attribute | Value |", "|---|---|---|---|", *rows])
    return f"{before}{BEGIN}{table}\n{END}{after}"


if __name__ == "__main__":
    DOCUMENT.write_text(document(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
