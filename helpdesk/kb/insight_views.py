"""The knowledge manager's screens: figures with their pictures, what stands behind each, as a table or CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from flask import Response, make_response, render_template, request
from flask_babel import format_date, format_datetime
from flask_babel import gettext as _

from helpdesk import clock, web
from helpdesk.errors import NotFound
from helpdesk.kb import insight, queries, teaching
from helpdesk.kb.authoring_views import bp

MOST_ROWS = 500
#: Spreadsheets take a cell that begins with one of these for a formula.
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


@bp.get("/insights")
def insights() -> Response:
    """What was searched for in vain, what helped, what did not and why, and what should be looked at again."""
    shown = insight.insight(days=_days(), language=web.lang())
    html = render_template(
        "kb/insights.html",
        insight=shown,
        periods=insight.PERIODS,
        outcomes=_outcomes(),
        chart=_chart(shown),
        counts=queries.counts(),
        verdicts=queries.latest_verdicts(),
        tuned=teaching.tuned(),
        percent=_percent,
        day_words=format_date,
    )
    return make_response(html)


@bp.get("/insights/<any(searches, missed, articles):what>")
def behind_figures(what: str) -> Response:
    """The rows behind a figure; with ?as=csv as a file."""
    days = _days()
    outcome = request.args.get("outcome", "")
    if outcome and outcome not in insight.OUTCOMES:
        raise NotFound
    since = clock.now() - timedelta(days=days)
    if what == "articles":
        title = _("What each article did")
        columns = [_("Article"), *_outcomes().values(), _("Helped"), _("Did not help"), _("Tickets solved with it")]
        rows: list[list[Any]] = [
            [one.title, *(one.outcomes.get(name, 0) for name in insight.OUTCOMES), one.helpful, one.unhelpful, one.tickets]
            for one in insight.served(since, web.lang())
        ]
    else:
        title = _("Asked and not found") if what == "missed" else _title(outcome)
        columns = [_("When"), _("Question"), _("Where"), _("Found"), _("Article"), _("What became of it")]
        places = {"portal": _("Portal"), "form": _("Request form")}
        names = _outcomes()
        rows = [
            [format_datetime(one.at, "short"), one.query, places.get(one.place, one.place), one.found, one.title, names[one.outcome]]
            for one in insight.searches(since, outcome=outcome, missed_only=what == "missed", limit=MOST_ROWS)
        ]
    if request.args.get("as") == "csv":
        return _csv([columns, *rows], f"{what}-{days}.csv")
    html = render_template("kb/behind.html", title=title, columns=columns, rows=rows, what=what, outcome=outcome, days=days, most=MOST_ROWS)
    return make_response(html)


def _days() -> int:
    days = request.args.get("days", 30, type=int)
    return days if days in insight.PERIODS else 30


def _outcomes() -> dict[insight.Outcome, str]:
    """Outcomes of a visit in the reader's words, in their order."""
    return {
        "confirmed": _("Confirmed: this solved it"),
        "assumed": _("Assumed: read, nothing more heard"),
        "refuted": _("Did not help"),
        "wrote": _("Wrote to us afterwards"),
        "left": _("Nothing opened, or too early to say"),
    }


def _title(outcome: str) -> str:
    return next((words for name, words in _outcomes().items() if name == outcome), _("Searches"))


def _chart(shown: insight.Insight) -> str:
    """Visits by outcome as charts.js reads them; of long periods weeks."""
    step = 7 if shown.days > 60 else 1
    groups = [shown.series[at : at + step] for at in range(0, len(shown.series), step)]
    names = _outcomes()
    tones: dict[insight.Outcome, str] = {"confirmed": "ok", "assumed": "accent", "refuted": "warn", "wrote": "bad"}
    series = [
        {"name": names[name], "values": [sum(day.visits[name] for day in group) for group in groups], "tone": tone}
        for name, tone in tones.items()
    ]
    return json.dumps(
        {"type": "bar", "stacked": True, "labels": [format_date(group[0].day, "d MMM") for group in groups], "series": series},
        ensure_ascii=False,
    )


def _percent(share: float | None) -> str:
    return "—" if share is None else f"{share * 100:.0f}\u00a0%" if web.lang() == "ru" else f"{share * 100:.0f}%"


def _csv(rows: Iterable[list[Any]], name: str) -> Response:
    """A file that spreadsheets open as it is meant: UTF-8 with its mark, nothing taken for a formula."""
    out = io.StringIO()
    csv.writer(out).writerows([[_plain(cell) for cell in row] for row in rows])
    answer = make_response("\ufeff" + out.getvalue())
    answer.headers["Content-Type"] = "text/csv; charset=utf-8"
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _plain(cell: Any) -> Any:
    if not isinstance(cell, str):
        return cell
    bare = cell.lstrip(" \u00a0\u200b\u200c\u200d\u2060\ufeff")
    return f"'{cell}" if bare.startswith(_FORMULAS) else cell
