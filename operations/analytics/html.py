"""Formats the report as one HTML file without scripts and without other files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jinja2
from markupsafe import Markup

from operations.analytics.cells import cell
from operations.analytics.charts import chart, title
from operations.analytics.text import TERMS, facts

if TYPE_CHECKING:
    from operations.analytics.report import Report, Table


def page(report: Report) -> str:
    """Return the report as an HTML document.

    Args:
        report: the report. The template escapes all texts, and `cell` replaces control characters.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("operations.analytics", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(
        report=report, facts=facts(report), terms=TERMS, cell=cell, title=title, svg=_svg
    )


def _svg(table: Table) -> Markup:
    """Return the chart of a table as SVG, whose texts the XML library has escaped."""
    return Markup(chart(table))  # noqa: S704  xml.etree.ElementTree has escaped the texts
