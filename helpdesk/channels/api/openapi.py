"""The API as an OpenAPI 3.1 document, made from the route table and the schemas that the routes really check and answer with.

Why no library: APIFlask and flask-smorest bring marshmallow as a second way to say what a field is; spectree reads pydantic but
answers errors in its own form and shows pages whose scripts come from elsewhere, which the content security policy refuses.
Pydantic already writes JSON Schema 2020-12, which is what OpenAPI 3.1 contains, so what remains is this page of code and no
memory: the document is made when it is first asked for and kept as text.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from helpdesk import __version__, web
from helpdesk.agents.tokens import SCOPES
from helpdesk.channels.api import once
from helpdesk.channels.api.routes import BASE, ROUTES, Route
from helpdesk.channels.api.schemas import MOST, Shown

WHAT = (
    "Tickets, messages, customers and articles of this desk. A token acts in its owner's name with the scopes chosen for it; what the "
    "owner may not see is answered like what does not exist (404). Errors are RFC 9457 problem documents. Lists are paged by cursor: "
    "follow `next`. A POST with an Idempotency-Key is done once however often it is sent; a PATCH with If-Match only in the version that "
    "was seen. Times are RFC 3339 in UTC."
)
TAGS = {
    "tickets": "Requests and what becomes of them",
    "messages": "What is written on a ticket, and its files",
    "contacts": "Customers",
    "orders": "What customers bought, paid and sent back",
    "interactions": "Calls, meetings, letters and visits",
    "articles": "The knowledge base",
    "desk": "Queues, inboxes and colleagues, to know their ids",
    "docs": "This document",
}


class Fault(Shown):
    """One wrong field."""

    field: str
    detail: str


class Problem(Shown):
    """Why a request was refused (RFC 9457). `code` is a stable word for programs."""

    type: str
    title: str
    status: int
    code: str
    detail: str = ""
    errors: list[Fault] = []


#: Refusals and when they are given, in the document's words.
REFUSALS = {
    400: "The body is not JSON, or a header cannot be understood.",
    401: "No token, or one that is unknown, expired or revoked.",
    403: "The token lacks the scope, or its owner may see the thing but not do this to it.",
    404: "There is no such thing, or it is not for the token's owner.",
    409: "Somebody was faster, or the thing's state does not allow it.",
    413: "The body or a file is too large.",
    415: "The body has another media type.",
    422: "A field or parameter cannot be used; `errors` names each.",
    429: "Too many requests of this token; try again after Retry-After seconds.",
}


@lru_cache(maxsize=2)
def document(base_url: str) -> dict[str, Any]:
    """The whole document for a desk at `base_url`."""
    schemas = _schemas(ROUTES)
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        paths.setdefault(BASE + route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Helpdesk", "version": __version__, "description": WHAT},
        "servers": [{"url": base_url}],
        "security": [{"token": []}],
        "tags": [{"name": name, "description": words} for name, words in TAGS.items() if any(r.tag == name for r in ROUTES)],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": {str(status): _refusal(words) for status, words in REFUSALS.items()},
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "hd_…",
                    "description": f"Made in the settings. Scopes: {', '.join(SCOPES)}.",
                }
            },
        },
    }


def refused(route: Route) -> list[int]:
    """The refusals that a route can give."""
    statuses = [429] if not route.public else []
    if not route.public:
        statuses += [401, 422]
    if route.scope is not None:
        statuses.append(403)
    if route.parameters:
        statuses.append(404)
    if route.takes is not None:
        statuses += [400, 413, 415]
    if route.conflicts:
        statuses.append(409)
    return sorted(statuses)


def _operation(route: Route) -> dict[str, Any]:
    made: dict[str, Any] = {"operationId": route.name.replace(".", "_"), "tags": [route.tag], "summary": route.summary}
    if route.description:
        made["description"] = route.description
    if route.public:
        made["security"] = []
    elif route.scope is not None:
        made["security"] = [{"token": [route.scope]}]
    if parameters := _parameters(route):
        made["parameters"] = parameters
    if route.takes is not None:
        made["requestBody"] = {"required": True, "content": _content(route)}
    made["responses"] = {str(route.status): _answer(route), **{str(s): {"$ref": f"#/components/responses/{s}"} for s in refused(route)}}
    return made


def _parameters(route: Route) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "integer", "minimum": 1, "maximum": MOST}}
        for name in route.parameters
    ]
    if route.asks is not None:
        asked = route.asks.model_json_schema(ref_template="#/components/schemas/{model}")
        for name, schema in asked["properties"].items():
            words = schema.pop("description", "")
            schema.pop("title", None)
            parameter = {"name": name, "in": "query", "required": name in asked.get("required", ()), "schema": schema}
            found.append({**parameter, "description": words} if words else parameter)
    if route.method == "POST":
        words = "Any word of yours, new for each new request: sent again, the request is not done again."
        schema = {"type": "string", "pattern": f"^{once.WORD.pattern}$".replace("\\x21-\\x7e", "!-~")}
        found.append({"name": once.HEADER, "in": "header", "required": False, "schema": schema, "description": words})
    if route.method == "PATCH" and route.conflicts:
        words = 'The version you have seen, such as "3": refused with 409 if somebody changed it since.'
        schema = {"type": "string", "pattern": r'^("[0-9]{1,15}"|\*)$'}
        found.append({"name": "If-Match", "in": "header", "required": False, "schema": schema, "description": words})
    return found


def _content(route: Route) -> dict[str, Any]:
    assert route.takes is not None
    schema = _ref(route.takes)
    content: dict[str, Any] = {"application/json": {"schema": schema}}
    if route.files:
        parts = {"json": schema, "files": {"type": "array", "items": {"type": "string", "contentMediaType": "application/octet-stream"}}}
        content["multipart/form-data"] = {
            "schema": {"type": "object", "required": ["json"], "properties": parts, "additionalProperties": False},
            "encoding": {"json": {"contentType": "application/json"}},
        }
    return content


def _answer(route: Route) -> dict[str, Any]:
    schema = _ref(route.gives) if route.gives is not None else {"type": "string"}
    made: dict[str, Any] = {"description": "Made." if route.status == 201 else "Here it is.", "content": {route.media: {"schema": schema}}}
    if route.status == 201:
        made["headers"] = {"Location": {"description": "The address of what was made.", "schema": {"type": "string", "format": "uri"}}}
    return made


def _refusal(words: str) -> dict[str, Any]:
    return {"description": words, "content": {"application/problem+json": {"schema": _ref(Problem)}}}


def _ref(schema: type[BaseModel]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{schema.__name__}"}


def _schemas(routes: Sequence[Route]) -> dict[str, Any]:
    """Every schema that a route takes or gives, and what those are made of."""
    used = [(route.takes, "validation") for route in routes if route.takes] + [
        (route.gives, "serialization") for route in routes if route.gives
    ]
    found = list(dict.fromkeys([*used, (Problem, "serialization"), *((r.asks, "validation") for r in routes if r.asks)]))
    _map, made = models_json_schema(found, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
    return dict(sorted(made["$defs"].items()))


def here() -> dict[str, Any]:
    """The document of this desk."""
    return document(web.settings().base_url)
