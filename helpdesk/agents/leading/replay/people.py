"""What people do in a replay: an offer that was really made is answered as it was; another as this agent, or else anybody, answered such
offers in the week. Drawn by the piece of work and the agent alone, so that two sets of rules meet the same people.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from helpdesk.agents.leading.replay.week import Agent, Answer, Week, Work
from helpdesk.agents.ranking import Presence

#: How long somebody who did not answer stays away where nobody was seen coming back, in seconds.
AWAY_S = 60.0


@dataclass(slots=True)
class Person:
    """What the week knows of one agent, and what the replay made of them: missing since an offer, finishing up after live work."""

    agent: Agent
    recorded: str = "offline"
    missing: int = 0  # the number of the absence that lasts; 0: none
    absences: int = 0
    wrapping: int = 0

    @property
    def presence(self) -> Presence:
        if self.recorded != "available":
            return Presence.AWAY if self.recorded == "away" else Presence.OFFLINE
        if self.missing:
            return Presence.NOT_RESPONDING
        return Presence.WRAP_UP if self.wrapping else Presence.AVAILABLE


class Manners:
    """How the people of a week answer and come back. One for each run: it counts who was asked about what."""

    def __init__(self, week: Week) -> None:
        self._asked: dict[tuple[int, int], int] = {}
        self._anybodys: dict[str, list[Answer]] = {}
        self._returns: list[float] = []
        for agent in week.agents:
            self._returns += agent.returns
            for channel, answers in agent.answers.items():
                self._anybodys.setdefault(channel, []).extend(answers)

    def answer(self, work: Work, agent: Agent, offer_s: float) -> Answer:
        """How this agent answers the offer of this work, and after how many seconds; at once where nobody was ever asked on its channel.

        An answer that took longer than offers last now comes too late.
        """
        number = self._asked.get((work.id, agent.id), 0)
        self._asked[work.id, agent.id] = number + 1
        own = [(how, after) for who, how, after in work.answered if who == agent.id]
        known = agent.answers.get(work.channel) or self._anybodys.get(work.channel)
        if number < len(own):
            how, after = own[number]
        elif known:
            how, after = random.Random(f"{work.id} {agent.id} {number}").choice(known)
        else:
            how, after = "accepted", 0.0
        return ("expired", offer_s) if how == "expired" or after >= offer_s else (how, after)

    def back_after(self, person: Person) -> float:
        """After how many seconds somebody who did not answer is back."""
        known = person.agent.returns or self._returns
        return random.Random(f"{person.agent.id} {person.absences}").choice(known) if known else AWAY_S
