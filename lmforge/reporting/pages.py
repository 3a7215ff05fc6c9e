"""What our HTML pages share: escaped templates, the style `page.css` that some include, and how numbers are written.

Text that came from data is not trusted: everything is escaped, and a name that a template does not know is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATES = Path(__file__).with_name("templates")


def render_page(template: str, context: Mapping[str, Any], filters: Mapping[str, Callable[..., str]]) -> str:
    """A page of one of our templates: the same context gives the same bytes. The filter `number` is always there."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": format_number, **filters}
    return environment.get_template(template).render(**context) + "\n"


def format_number(value: float | None) -> str:
    """Write a number for people: grouped digits for counts, six significant digits for the rest."""
    if value is None:
        return "unknown"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.6g}"
