"""A saved run as one HTML page that needs no other file."""

from __future__ import annotations

import base64
from html import escape

from expost.runs.record import Record
from expost.runs.run import Run
from expost.runs.sampled import sampled_toml
from expost.runs.verify import verify
from expost.show.plots.overview import run_figure
from expost.show.plots.style import rendered

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; margin: 1rem 0; }
td, th { padding: .25rem .75rem; border-bottom: 1px solid #ddd; text-align: left; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
img { max-width: 100%; } .failed { color: #b00; font-weight: bold; } .note { color: #555; }
pre { background: #f6f5f2; padding: 1rem; overflow-x: auto; }
"""


def run_page(run: Run) -> str:
    """The HTML of ``run``: figures, plots, checks made now, the instance, how to cite and re-check."""
    record = run.record
    title = escape(f"{record.instance}: {record.timing}, grid {record.grid}")
    body = "\n".join([_figures(record), _plots(run), _checks(run), _instance(run)])
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{STYLE}</style></head>\n"
        f"<body><h1>{title}</h1>\n{body}\n</body></html>\n"
    )


def _figures(record: Record) -> str:
    rows = {
        "first best on this grid": record.first_best,
        "welfare of the rule": record.welfare,
        "upper bound": record.upper_bound,
        "proved by the certificate": record.certified_upper_bound,
        "gap": record.gap,
        "never selling": record.no_sale,
        "revenue": record.revenue,
        "probability of sale": record.sold,
        "best deviation found by the audit": record.audit_worst_gain,
    }
    cells = [(name, "none" if value is None else f"{value:.9g}") for name, value in rows.items()]
    note = (
        f"Solved by {record.backend} ({record.status}) in {record.seconds['total']:.2f} s; {record.states:,} states, "
        f"{record.binaries:,} binaries; expost {record.expost}. "
        "Expected values on the finite grid, which is easier than the continuum."
    )
    return f"<h2>Figures</h2>{_table(cells)}<p class='note'>{escape(note)}</p>"


def _plots(run: Run) -> str:
    image = base64.b64encode(rendered(run_figure(run), "png")).decode()
    return (
        f'<h2>The mechanism</h2><img alt="who wins, and at what price" src="data:image/png;base64,{image}">'
    )


def _checks(run: Run) -> str:
    checks = verify(run if run.folder is None else run.folder).checks
    failed = sum(not check.passed for check in checks)
    rows = "".join(
        f"<tr><td>{escape(check.name)}</td><td class='{'' if check.passed else 'failed'}'>"
        f"{'ok' if check.passed else 'FAILED'}</td><td>{escape(check.detail)}</td></tr>"
        for check in checks
    )
    return f"<h2>Checks made for this page</h2><p>{len(checks)} checks, {failed} failed.</p><table>{rows}</table>"


def _instance(run: Run) -> str:
    text = escape(sampled_toml(run.instance))
    check = ""
    if run.folder is not None:
        check = f"<p>Re-check with <code>expost verify {escape(str(run.folder))}</code>.</p>"
    return f"<h2>The instance</h2><pre>{text}</pre>{check}"


def _table(cells: list[tuple[str, str]]) -> str:
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td class='number'>{escape(value)}</td></tr>" for name, value in cells
    )
    return f"<table>{rows}</table>"
