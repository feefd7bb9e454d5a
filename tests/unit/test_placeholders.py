"""Placeholders: a fixed dictionary, filled once, never evaluated."""

from __future__ import annotations

import pytest

from helpdesk import placeholders

KNOWN = ("agent.name", "company")


def test_known_names_are_filled_and_unknown_ones_stay_as_typed() -> None:
    assert (
        placeholders.fill("{{agent.name}} of {{ company }} {{ x }}", {"agent.name": "Alice", "company": "ACME"}) == "Alice of ACME {{ x }}"
    )


def test_what_a_value_contains_is_not_filled_again() -> None:
    assert placeholders.fill("{{ agent.name }}", {"agent.name": "{{ company }}", "company": "ACME"}) == "{{ company }}"


@pytest.mark.parametrize(
    "text",
    [
        "{{ agent.password }}",
        "{{ 7*7 }}",
        "{{ agent.name|upper }}",
        "{{ }}",
        "{{ agent.name",
        "agent.name }}",
        "{% if x %}",
        "{{ Agent.Name }}",
    ],
)
def test_everything_else_is_a_fault_said_in_a_sentence(text: str) -> None:
    assert placeholders.fault(text, KNOWN) is not None


@pytest.mark.parametrize("text", ["", "no places", "{{ agent.name }}{{company}}", "a {b} c", "100 % {"])
def test_a_sound_text_has_no_fault(text: str) -> None:
    assert placeholders.fault(text, KNOWN) is None


def test_what_a_text_must_name_and_does_not() -> None:
    assert placeholders.missing("{{ link }}", ("link", "ticket.number")) == ["ticket.number"]
