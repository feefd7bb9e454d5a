"""A queue's steps: whom an item may go to as it gets older, and whom it is kept for at first."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from helpdesk.agents.ranking import AgentState, ItemHead, Presence, why_not
from helpdesk.agents.widening import NarrowingSteps, Standing, Step, check_steps, standing

STEPS = [Step({"russian": 3, "billing": 1}, until_age=60), Step({"russian": 1}, until_age=300),
         Step({}, overflow_queue=9)]


@pytest.mark.parametrize(("age", "step"), [(0, 1), (59.9, 1), (60, 2), (299, 2), (300, 3), (1e9, 3), (-3600, 1)])
def test_an_items_step_follows_from_its_age(age, step):
    assert standing(STEPS, age).step == step


def test_the_last_step_is_the_overflow_queue_and_never_ends():
    assert standing(STEPS, 301) == Standing(3, {}, None, overflow_queue=9)


def test_a_standing_says_at_which_age_it_changes():
    assert standing(STEPS, 10).until_age == 60
    assert standing(STEPS, 10, sticky_agent=4, sticky_presence=Presence.AWAY, hold_s=20).until_age == 20


def test_a_clock_that_jumps_back_does_not_narrow_the_pool_again():
    assert standing(STEPS, 10, at_least=2).step == 2
    assert standing(STEPS, 10, sticky_agent=4, sticky_presence=Presence.AVAILABLE, hold_s=20, at_least=1).step == 1


def test_a_step_that_is_no_more_because_the_queue_has_fewer_now_becomes_the_last():
    assert standing(STEPS[-1:], 10, at_least=3) == Standing(1, {}, None, overflow_queue=9)


def test_the_sticky_agent_has_the_item_to_themselves_for_the_hold_and_not_longer():
    held = standing(STEPS, 19.9, sticky_agent=4, sticky_presence=Presence.AVAILABLE, hold_s=20)
    assert (held.step, held.held_for, held.requirements) == (0, 4, STEPS[0].requirements)
    after = standing(STEPS, 20, sticky_agent=4, sticky_presence=Presence.AVAILABLE, hold_s=20)
    assert (after.step, after.held_for) == (1, None)


@pytest.mark.parametrize(("presence", "step"), [
    (Presence.OFFLINE, 1), (Presence.AVAILABLE, 0), (Presence.AWAY, 0), (Presence.WRAP_UP, 0)])
def test_an_offline_sticky_agent_is_not_waited_for(presence, step):
    assert standing(STEPS, 0, sticky_agent=4, sticky_presence=presence, hold_s=20).step == step


def test_a_hold_longer_than_the_first_step_leads_to_the_step_of_the_age():
    assert standing(STEPS, 7200, sticky_agent=4, sticky_presence=Presence.AVAILABLE, hold_s=7200).step == 3


@pytest.mark.parametrize(("steps", "said"), [
    ([], "at least one step"),
    ([Step({}, until_age=60)], "Step 1: the last step has no end"),
    ([Step({}), Step({})], "Step 1: the last step has no end"),
    ([Step({}, until_age=0), Step({})], "Step 1 must end later than 0 s"),
    ([Step({}, until_age=60), Step({}, until_age=60), Step({})], "Step 2 must end later than 60 s"),
    ([Step({}, until_age=float("nan")), Step({})], "Step 1 must end later"),
    ([Step({"a": 1}, until_age=60), Step({"a": 2})], "Step 2 asks for a 2, more than step 1 does"),
    ([Step({"a": 1}, until_age=60), Step({"b": 1})], "Step 2 asks for b 1"),
    ([Step({}, until_age=60, overflow_queue=9), Step({})], "Step 2 drops the overflow queue"),
    ([Step({}, until_age=60, overflow_queue=9), Step({}, overflow_queue=8)], "Step 2 drops the overflow queue"),
])
def test_steps_that_would_shrink_the_pool_are_refused_with_the_reason(steps, said):
    with pytest.raises(NarrowingSteps, match=said):
        check_steps(steps)


def test_steps_that_widen_are_taken():
    check_steps(STEPS)
    check_steps([Step({"a": 1})])


@given(
    st.lists(st.tuples(st.dictionaries(st.sampled_from("ab"), st.integers(0, 3)), st.integers(1, 500)),
             min_size=1, max_size=4, unique_by=lambda step: step[1]),
    st.dictionaries(st.sampled_from("ab"), st.integers(0, 3)), st.integers(1, 2), st.integers(1, 2),
    st.lists(st.integers(0, 700), min_size=2, max_size=2), st.integers(0, 600))
def test_an_agent_whom_an_item_admits_is_admitted_ever_after(raw, skills, id, queue, ages, hold_s):
    ordered = sorted(raw, key=lambda step: step[1])
    steps = [Step(needs, until) for needs, until in ordered[:-1]] + [Step(ordered[-1][0], None, overflow_queue=2)]
    try:
        check_steps(steps)
    except NarrowingSteps:
        assume(False)
    agent = AgentState(id, Presence.AVAILABLE, skills, queues=frozenset({queue}))

    def admitted(age: int) -> bool:
        now = standing(steps, age, sticky_agent=1, sticky_presence=Presence.AVAILABLE, hold_s=hold_s)
        item = ItemHead(1, "chat", 1, 1, 0.0, 0.0, now.requirements, now.step, held_for=now.held_for,
                        overflow_queue=now.overflow_queue)
        return why_not(agent, item) is None

    younger, older = sorted(ages)
    assert admitted(older) or not admitted(younger)
