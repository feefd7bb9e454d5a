"""The API's own description: the OpenAPI document for programs, and a page on which people read it and try calls.

The page is drawn from the same route table, so that it reads without scripts; one module of ours (static/js/api.js) adds the
trying. The token that a person pastes stays in the page's memory: it is sent in the Authorization header and kept nowhere.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from flask import Response, make_response, render_template
from flask_babel import gettext as _
from flask_babel import gettext as words  # of texts that stand elsewhere: see openapi, and the routes' docstrings

from helpdesk.channels.api import openapi
from helpdesk.channels.api.routes import BASE, ROUTES, Route, get


@dataclass(frozen=True)
class Call:
    """One route as the page shows it: words in the reader's language, parameters and fields as rows, a body to start from."""

    id: str
    method: str
    path: str
    summary: str
    description: str
    scope: str
    parameters: list[dict[str, Any]]
    fields: list[dict[str, Any]]
    example: str
    files: bool
    answer: str
    refusals: list[tuple[int, str]]


@get("/openapi.json", public=True)
def document() -> Response:
    """This API as an OpenAPI 3.1 document."""
    answer: Response = make_response(openapi.here())
    answer.headers["Cache-Control"] = "public, max-age=300"
    return answer


@get("/docs", public=True, media="text/html")
def page() -> Response:
    """This API as a page to read and to try."""
    made = openapi.here()
    groups = [(words(tag["description"]), [_call(made, route) for route in ROUTES if route.tag == tag["name"]]) for tag in made["tags"]]
    return make_response(render_template("api/docs.html", words=words(openapi.WHAT), groups=groups, schemas=_schemas(made)))


def _call(made: dict[str, Any], route: Route) -> Call:
    told = made["paths"][BASE + route.path][route.method.lower()]
    parameters = [
        {
            "name": one["name"],
            "in": one["in"],
            "required": one["required"],
            "kind": _kind(one["schema"]),
            "words": words(one["description"]) if one.get("description") else "",
        }
        for one in told.get("parameters", ())
    ]
    fields = _fields(made["components"]["schemas"][route.takes.__name__]) if route.takes else []
    return Call(
        id=told["operationId"],
        method=route.method,
        path=BASE + route.path,
        summary=words(route.summary),
        description=words(route.description) if route.description else "",
        scope="" if route.public else route.scope or _("any token"),
        parameters=parameters,
        fields=fields,
        example=json.dumps(_example(made, made["components"]["schemas"][route.takes.__name__]), indent=2, ensure_ascii=False)
        if route.takes
        else "",
        files=route.files,
        answer=route.gives.__name__ if route.gives else "",
        refusals=[(status, words(openapi.REFUSALS[status])) for status in openapi.refused(route)],
    )


def _schemas(made: dict[str, Any]) -> list[tuple[str, list[dict[str, Any]]]]:
    """What answers are made of: each schema's name with its fields."""
    return [(name, _fields(schema)) for name, schema in made["components"]["schemas"].items() if schema.get("properties")]


def _fields(schema: dict[str, Any]) -> list[dict[str, Any]]:
    needed = schema.get("required", ())
    return [
        {
            "name": name,
            "required": name in needed,
            "kind": _kind(one),
            "words": words(one["description"]) if one.get("description") else "",
        }
        for name, one in schema["properties"].items()
    ]


def _kind(schema: dict[str, Any]) -> str:
    """A field's type in a few signs: text, list of Tag, open | solved, null."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(_kind(one) for one in schema["anyOf"]))
    if "enum" in schema or "const" in schema:
        return " | ".join(json.dumps(word) for word in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        return f"[{_kind(schema['items'])}]"
    return str(schema.get("format") or schema.get("type") or "")


def _example(made: dict[str, Any], schema: dict[str, Any]) -> Any:
    """A body to start from: the needed fields, or, if none is, the first."""
    if "$ref" in schema:
        return _example(made, made["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    if "anyOf" in schema:
        return _example(made, schema["anyOf"][0])
    if "enum" in schema or "const" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    match schema.get("type"):
        case "object":
            names = schema.get("required") or list(schema.get("properties", {}))[:1]
            return {name: _example(made, schema["properties"][name]) for name in names}
        case "array":
            return [_example(made, schema["items"])]
        case "integer":
            return 1
        case "boolean":
            return False
        case _:
            return "…" if not schema.get("pattern") else "en"
