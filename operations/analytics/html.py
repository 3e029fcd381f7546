"""Creates the report as one HTML file that contains no scripts and loads no other files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jinja2
from markupsafe import Markup

from operations.analytics.cells import cell
from operations.analytics.charts import chart, title
from operations.analytics.sections import ColumnKind
from operations.analytics.text import TERMS, facts

if TYPE_CHECKING:
    from operations.analytics.report import Report, Table


def page(report: Report) -> str:
    """Return the report as an HTML document.

    Args:
        report: data of the report. The HTML template escapes all strings.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("operations.analytics", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(
        report=report, facts=facts(report), terms=TERMS, cell=cell, text_kind=ColumnKind.TEXT, title=title, svg=_svg
    )


def _svg(table: Table) -> Markup:
    """Return a table's chart as SVG markup, which the HTML template does not escape again."""
    return Markup(chart(table))  # noqa: S704  xml.etree.ElementTree escapes the strings in the chart
