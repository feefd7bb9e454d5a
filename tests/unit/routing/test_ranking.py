"""Which agent for this item, which item for this agent, and why not the others."""

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpdesk.agents.ranking import (
    INTERRUPTS,
    AgentState,
    BoostRules,
    Channel,
    ItemHead,
    Presence,
    Rule,
    best_agent,
    best_item,
    boost,
    exclusions_lapse,
    order_key,
    signature,
    vkey,
    why_not,
)

CALL = ItemHead(1, Channel.PHONE, queue=7, tier=1, vkey=100.0, enqueued_at=40.0, requirements={"russian": 2}, weight=3)
CHAT = replace(CALL, channel=Channel.CHAT, weight=1)
MAIL = replace(CALL, channel=Channel.TICKET, weight=1, interruptible=True)
ALICE = AgentState(1, Presence.AVAILABLE, {"russian": 3, "billing": 1}, capacity=3, interruptible_cap=5)


# ---- the order of items

def test_a_smaller_tier_goes_before_an_earlier_deadline():
    urgent, early = replace(CALL, id=9, tier=0, vkey=900.0), replace(CALL, id=2, vkey=1.0)
    assert best_item(ALICE, {"a": early, "b": urgent}).item == 9


@pytest.mark.parametrize(("other", "part"), [
    (replace(CALL, id=2, tier=2), "tier"),
    (replace(CALL, id=2, vkey=100.5), "vkey"),
    (replace(CALL, id=2, enqueued_at=41.0), "enqueued_at"),
    (replace(CALL, id=2), "id"),
])
def test_the_first_part_of_the_key_that_differs_decides_between_items_and_is_named(other, part):
    decision = best_item(ALICE, {"a": other, "b": CALL})
    assert (decision.item, decision.tie_break, decision.runner_up) == (1, part, 2)
    assert decision.key == (1, 100.0, 40.0, 1)


def test_a_boosted_item_counts_as_due_that_much_earlier():
    assert vkey(due_at=1000.0, boost_s=300.0) == 700.0


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 3600), st.floats(0, 2400)), min_size=2, max_size=2))
def test_inside_a_tier_nothing_is_overtaken_by_what_arrives_later_than_the_spread_and_the_largest_boost(two):
    (at, target, boosted), (later_at, later_target, later_boosted) = sorted(two)
    first = replace(CALL, id=1, enqueued_at=at, vkey=vkey(at + target, boosted))
    later = replace(CALL, id=2, enqueued_at=later_at, vkey=vkey(later_at + later_target, later_boosted))
    if later_at > at + 3600 + 2400:
        assert order_key(first) < order_key(later)


# ---- the choice among agents

@pytest.mark.parametrize(("best", "other", "part"), [
    (replace(ALICE, id=2, load=0, idle_since=90.0), replace(ALICE, id=1, capacity=9, load=1), "load"),
    (replace(ALICE, id=2, idle_since=10.0), replace(ALICE, id=1, idle_since=20.0), "longest_idle"),
    (replace(ALICE, id=1), replace(ALICE, id=2), "id"),
])
def test_lowest_load_fraction_then_longest_idle_then_id(best, other, part):
    for candidates in ([best, other], [other, best]):
        decision = best_agent(CHAT, candidates)
        assert (decision.agent, decision.tie_break, decision.runner_up) == (best.id, part, other.id)


def test_loads_compare_as_fractions_of_the_capacity():
    small, large = replace(ALICE, id=1, capacity=3, load=1), replace(ALICE, id=2, capacity=10, load=3)
    assert best_agent(CHAT, [small, large]).agent == 2


def test_proficiency_comes_first_where_the_queue_asks_for_it_and_not_elsewhere():
    expert = replace(ALICE, id=5, skills={"russian": 5}, load=1)
    assert best_agent(replace(CHAT, by_proficiency=True), [ALICE, expert]).agent == 5
    assert best_agent(replace(CHAT, by_proficiency=True), [ALICE, expert]).tie_break == "proficiency"
    assert best_agent(CHAT, [ALICE, expert]).agent == 1


def test_proficiency_counts_only_the_skills_that_the_item_asks_for():
    polyglot = replace(ALICE, id=5, skills={"russian": 2, "welsh": 9})
    assert best_agent(replace(CHAT, by_proficiency=True), [polyglot, ALICE]).agent == 1


def test_mail_goes_to_who_has_the_least_mail_whatever_else_they_hold():
    loaded = replace(ALICE, id=2, load=2, interruptible_load=0)
    assert best_agent(MAIL, [replace(ALICE, interruptible_load=1), loaded]).agent == 2


# ---- who is eligible, and the reason of those who are not

@pytest.mark.parametrize("presence", [each for each in Presence if each is not Presence.AVAILABLE])
def test_only_the_available_are_offered_work(presence):
    exclusion = why_not(replace(ALICE, presence=presence), CALL)
    assert exclusion is not None
    assert (exclusion.rule, exclusion.detail) == (Rule.PRESENCE, {"presence": presence.value})
    assert why_not(ALICE, CALL) is None


@pytest.mark.parametrize(("agent", "item", "rule"), [
    (replace(ALICE, channels=frozenset({"chat"})), CALL, Rule.CHANNEL),
    (replace(ALICE, queues=frozenset({8})), CALL, Rule.MEMBERSHIP),
    (ALICE, replace(CALL, held_for=2), Rule.HELD),
    (replace(ALICE, skills={"russian": 1}), CALL, Rule.SKILL),
    (replace(ALICE, skills={}), CALL, Rule.SKILL),
    (ALICE, replace(CALL, excluded_agents=frozenset({1})), Rule.EXCLUDED),
    (replace(ALICE, channel_caps={"chat": 2}, channel_loads={"chat": 2}, load=2), CHAT, Rule.CHANNEL_MAXIMUM),
    (replace(ALICE, channel_loads={"phone": 1}), CHAT, Rule.INTERRUPT),
    (replace(ALICE, channel_loads={"chat": 1}), CALL, Rule.INTERRUPT),
    (replace(ALICE, load=1), CALL, Rule.CAPACITY),
    (replace(ALICE, interruptible_load=5), MAIL, Rule.CAPACITY),
    (replace(ALICE, weights={"chat": 4}), CHAT, Rule.CAPACITY),
])
def test_each_rule_keeps_an_agent_from_an_item_under_its_own_name(agent, item, rule):
    exclusion = why_not(agent, item)
    assert exclusion is not None
    assert exclusion.rule is rule


@pytest.mark.parametrize(("agent", "item"), [
    (replace(ALICE, channels=frozenset({"phone"})), CALL),
    (replace(ALICE, queues=frozenset({7})), CALL),
    (replace(ALICE, queues=frozenset({8})), replace(CALL, overflow_queue=8)),
    (ALICE, replace(CALL, held_for=1)),
    (replace(ALICE, skills={"russian": 2}), CALL),
    (ALICE, replace(CALL, excluded_agents=frozenset({2}))),
    (replace(ALICE, channel_caps={"chat": 2}, channel_loads={"chat": 1}, load=1), CHAT),
    (replace(ALICE, channel_loads={"ticket": 5}, interruptible_load=5), CALL),
    (replace(ALICE, channel_loads={"phone": 0}), CHAT),
    (replace(ALICE, load=0), CALL),
    (replace(ALICE, load=3, interruptible_load=4), MAIL),
    (replace(ALICE, load=2, weights={"phone": 1}), CALL),
])
def test_who_just_meets_a_rule_is_eligible(agent, item):
    assert why_not(agent, item) is None


def test_the_interrupt_matrix_is_the_callers_to_change():
    in_a_call = replace(ALICE, channel_loads={"phone": 1})
    assert why_not(in_a_call, CHAT, {**INTERRUPTS, "phone": frozenset({"chat"})}) is None
    assert why_not(in_a_call, CHAT) is not None


def test_work_in_hand_of_a_channel_that_the_matrix_does_not_know_hinders_nothing():
    assert why_not(replace(ALICE, channel_loads={"fax": 2}), CALL) is None


def test_a_missing_level_says_what_is_needed_and_what_is_there():
    exclusion = why_not(replace(ALICE, skills={"russian": 1}), CALL)
    assert exclusion is not None
    assert exclusion.detail == {"skill": "russian", "needs": 2, "has": 1}


# ---- why

def test_a_decision_counts_everybody_and_names_the_excluded_by_rule():
    away, busy = replace(ALICE, id=2, presence=Presence.AWAY), replace(ALICE, id=3, load=1)
    decision = best_agent(CALL, [away, ALICE, busy, replace(busy, id=4)])
    assert (decision.agent, decision.item, decision.candidates, decision.step) == (1, 1, 4, 1)
    assert decision.exclusions == {"presence": 1, "capacity": 2}
    assert [(each.agent, each.rule) for each in decision.named] == [
        (2, Rule.PRESENCE), (3, Rule.CAPACITY), (4, Rule.CAPACITY)]
    assert (decision.tie_break, decision.runner_up) == ("only", None)


def test_a_decision_without_anybody_says_so_and_why():
    decision = best_agent(CALL, [replace(ALICE, presence=Presence.AWAY)])
    assert (decision.agent, decision.key, decision.tie_break) == (None, None, None)
    assert decision.exclusions == {"presence": 1}
    assert best_item(ALICE, {}).item is None


def test_a_decision_about_thousands_stays_small():
    decision = best_agent(CALL, [replace(ALICE, id=id, load=3) for id in range(5000)])
    assert decision.exclusions == {"capacity": 5000}
    assert len(json.dumps(decision.as_json())) < 10_000


def test_a_decision_survives_json():
    decision = best_agent(CALL, [ALICE, replace(ALICE, id=2), replace(ALICE, id=3, skills={})])
    assert json.loads(json.dumps(decision.as_json())) == {
        "item": 1, "agent": 1, "candidates": 3, "exclusions": {"skill": 1},
        "named": [{"agent": 3, "item": 1, "rule": "skill", "detail": {"skill": "russian", "needs": 2, "has": 0}}],
        "step": 1, "key": [0, 0.0, 0.0, 1], "tie_break": "id", "runner_up": 2}


def test_items_that_ask_the_same_share_a_signature_and_others_do_not():
    asked = replace(CALL, requirements={"a": 1, "b": 2})
    assert signature(asked) == signature(replace(asked, id=5, vkey=3.0, requirements={"b": 2, "a": 1}))
    for other in (replace(asked, step=2), replace(asked, queue=8), replace(asked, channel="chat"),
                  replace(asked, requirements={"a": 1})):
        assert signature(other) != signature(asked)


# ---- the customer's value

RULES = BoostRules(priority_s={"low": -300.0, "urgent": 1800.0}, value_s=900.0, largest_s=2400.0)


@pytest.mark.parametrize(("priority", "value", "total"), [
    ("urgent", 0.0, 1800.0), ("urgent", 0.5, 2250.0), ("urgent", 1.0, 2400.0), ("normal", 1.0, 900.0),
    ("normal", 7.0, 900.0), ("normal", -7.0, 0.0), ("low", 0.0, 0.0), ("normal", float("nan"), 0.0),
    ("normal", float("inf"), 900.0),
])
def test_priority_and_value_boost_up_to_the_bound(priority, value, total):
    assert boost(priority, value, RULES).total_s == total


def test_a_boost_shows_where_it_comes_from():
    shown = boost("urgent", 1.0, RULES)
    assert (shown.priority_s, shown.value_s, shown.total_s) == (1800.0, 900.0, 2400.0)


# ---- exclusions

def test_exclusions_lapse_when_everybody_who_could_is_excluded():
    item = replace(CALL, excluded_agents=frozenset({1, 2}))
    bob = replace(ALICE, id=2)
    assert exclusions_lapse(item, [ALICE, bob])
    assert exclusions_lapse(item, [ALICE, bob, replace(ALICE, id=3, presence=Presence.OFFLINE)])
    assert exclusions_lapse(item, [ALICE, bob, replace(ALICE, id=3, skills={})])


@pytest.mark.parametrize("third", [
    replace(ALICE, id=3), replace(ALICE, id=3, load=3), replace(ALICE, id=3, presence=Presence.WRAP_UP)])
def test_exclusions_stand_while_another_is_free_or_will_be_soon(third):
    assert not exclusions_lapse(replace(CALL, excluded_agents=frozenset({1})), [ALICE, third])


def test_exclusions_do_not_lapse_when_nobody_is_excluded():
    assert not exclusions_lapse(CALL, [])
    assert not exclusions_lapse(CALL, [replace(ALICE, presence=Presence.AWAY)])


# ---- the same as trying everybody

SKILLS = st.dictionaries(st.sampled_from("abc"), st.integers(0, 3))
COUNTS = st.dictionaries(st.sampled_from(["phone", "chat", "ticket"]), st.integers(0, 2))
WEIGHTS = st.dictionaries(st.sampled_from(["phone", "chat", "ticket"]), st.integers(1, 2))
AGENTS = st.lists(st.builds(
    AgentState, id=st.integers(1, 9), presence=st.sampled_from(["available", "available", "available", "away"]),
    skills=SKILLS, capacity=st.integers(1, 4), load=st.integers(0, 4), idle_since=st.integers(0, 3).map(float),
    channels=st.none() | st.just(frozenset({"phone", "chat"})), queues=st.none() | st.just(frozenset({1})),
    channel_loads=COUNTS, channel_caps=COUNTS, weights=WEIGHTS, interruptible_load=st.integers(0, 2),
    interruptible_cap=st.integers(0, 2)), unique_by=lambda agent: agent.id)
ITEMS = st.lists(st.builds(
    ItemHead, id=st.integers(1, 9), channel=st.sampled_from(["phone", "chat", "ticket"]), queue=st.integers(1, 2),
    tier=st.integers(0, 2), vkey=st.integers(0, 3).map(float), enqueued_at=st.integers(0, 2).map(float),
    requirements=SKILLS, weight=st.integers(1, 3), interruptible=st.booleans(), held_for=st.none() | st.integers(1, 3),
    excluded_agents=st.frozensets(st.integers(1, 9), max_size=3), overflow_queue=st.none() | st.just(1),
    by_proficiency=st.booleans()), unique_by=lambda item: item.id)


def allowed(agent: AgentState, item: ItemHead) -> bool:
    """The rules of eligibility, once more and all in one breath."""
    used, budget = ((agent.interruptible_load, agent.interruptible_cap) if item.interruptible
                    else (agent.load, agent.capacity))
    held: Mapping[str, int] = agent.channel_loads
    return (agent.presence == "available" and (agent.channels is None or item.channel in agent.channels)
            and (agent.queues is None or bool(agent.queues & {item.queue, item.overflow_queue}))
            and item.held_for in (None, agent.id) and agent.id not in item.excluded_agents
            and all(agent.skills.get(skill, 0) >= level for skill, level in item.requirements.items())
            and held.get(item.channel, 0) < agent.channel_caps.get(item.channel, 99)
            and not held.get("phone") and not (held.get("chat") and item.channel != "chat")
            and used + agent.weights.get(item.channel, item.weight) <= budget)


@given(AGENTS, ITEMS)
def test_the_best_agent_is_the_one_found_by_sorting_all_who_are_allowed(agents, items):
    for item in items:
        def place(agent: AgentState, item: ItemHead = item) -> tuple[float, ...]:
            proficiency = sum(agent.skills.get(skill, 0) for skill in item.requirements) * item.by_proficiency
            fraction = (agent.interruptible_load / (agent.interruptible_cap or 1) if item.interruptible
                        else agent.load / agent.capacity)
            return (-proficiency, fraction, agent.idle_since, agent.id)

        ranked = [agent.id for agent in sorted((each for each in agents if allowed(each, item)), key=place)]
        decision = best_agent(item, agents)
        assert [decision.agent, decision.runner_up] == [*ranked, None, None][:2]
        assert decision.candidates == len(agents) == sum(decision.exclusions.values()) + len(ranked)


@given(AGENTS, ITEMS)
def test_the_best_item_is_the_one_found_by_sorting_all_that_are_allowed(agents, items):
    for agent in agents:
        ranked = [item.id for item in sorted((each for each in items if allowed(agent, each)), key=lambda item: (
            item.tier, item.vkey, item.enqueued_at, item.id))]
        decision = best_item(agent, {item.id: item for item in items})
        assert [decision.item, decision.runner_up] == [*ranked, None, None][:2]
        assert decision.candidates == len(items) == sum(decision.exclusions.values()) + len(ranked)
