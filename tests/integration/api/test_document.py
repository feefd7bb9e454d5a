"""The OpenAPI document says what the routes do, all of them; the page shows it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from helpdesk.channels.api import views
from helpdesk.channels.api.routes import ROUTES
from tests.desks import TestDesk
from tests.integration.api.programs import BASE, program

assert views.RESOURCES  # importing them declares their routes


@pytest.fixture
def document(desk: TestDesk) -> dict[str, Any]:
    answer = desk.client().get(f"{BASE}/openapi.json")
    assert answer.status_code == 200 and answer.mimetype == "application/json"
    return json.loads(answer.data)


def test_the_document_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1") and list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def test_every_route_under_the_api_is_in_the_document_and_nothing_else(desk: TestDesk, document: dict[str, Any]) -> None:
    served = {
        (method, re.sub(r"<[^:>]*(?:\([^)]*\))?:(\w+)>", r"{\1}", rule.rule))
        for rule in desk.app.url_map.iter_rules()
        if rule.rule.startswith("/api/")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    written = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert served == written and len(written) == len(ROUTES)


def test_each_call_says_its_scope_its_refusals_and_its_words(document: dict[str, Any]) -> None:
    for path, methods in document["paths"].items():
        for method, call in methods.items():
            assert call["summary"], path
            assert {"200", "201"} & set(call["responses"])
            if call.get("security") != []:
                assert {"401", "422", "429"} <= set(call["responses"])
            if "{" in path:
                assert "404" in call["responses"]
            if method == "post":
                assert any(parameter["name"] == "Idempotency-Key" for parameter in call["parameters"])


def test_a_field_that_may_not_be_null_is_not_said_to_be(document: dict[str, Any]) -> None:
    change = document["components"]["schemas"]["TicketChange"]
    assert change["additionalProperties"] is False and "required" not in change
    assert "anyOf" not in change["properties"]["subject"] and change["properties"]["subject"]["maxLength"] == 300
    assert {"type": "null"} in change["properties"]["assignee_id"]["anyOf"]


def test_answers_have_the_form_the_document_says(desk: TestDesk, document: dict[str, Any]) -> None:
    from jsonschema import Draft202012Validator

    dana = program(desk, desk.people.dana)
    made = dana.post("/tickets", {"requester": {"email": "carol@customer.example"}, "subject": "x", "body": "y"}).json
    for schema, answer in (
        ("TicketShown", made),
        ("TicketPage", dana.get("/tickets").json),
        ("MessagePage", dana.get(f"/tickets/{made['number']}/messages").json),
        ("ContactPage", dana.get("/contacts").json),
        ("Problem", dana.get("/tickets/999999").json),
        ("Problem", dana.post("/tickets", {}).json),
    ):
        whole = {"$ref": f"#/components/schemas/{schema}", "components": document["components"]}
        assert [fault.message for fault in Draft202012Validator(whole).iter_errors(answer)] == []


def test_the_page_reads_without_scripts_and_runs_none_of_its_own(desk: TestDesk) -> None:
    for language in ("en", "ru"):
        page = desk.client().get(f"{BASE}/docs", headers={"Accept-Language": language})
        assert page.status_code == 200 and page.mimetype == "text/html"
        assert all(f'id="{route.name.replace(".", "_")}"' in page.text for route in ROUTES)
        scripts = re.findall(r"<script[^>]*>(.*?)</script>", page.text, re.S)
        assert scripts and not any(scripts) and " style=" not in page.text and "<style" not in page.text
        assert "script-src 'self'" in page.headers["Content-Security-Policy"]
        assert not re.findall(r"(?:src|href)=\"https?://", page.text)
