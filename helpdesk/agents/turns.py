"""When a match is made: after the fact that asked for it, one in a transaction where writers run side by side.

Two that overlap would each miss what the other has not committed yet, and two that each hold an item and want the other's would wait
for ever. SQLite's writers take turns, so there everything follows at once, in the same transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from functools import partial

from helpdesk import db
from helpdesk.agents import matching
from helpdesk.events import Outside


def writers_take_turns() -> bool:
    """Whether this database's writers take turns."""
    return db.engine().dialect.name == "sqlite"


def then(match: Callable[[], object]) -> Outside | None:
    """Match in a new transaction, once the fact is committed; at once where writers take turns."""
    if writers_take_turns():
        db.session().flush()
        match()
        return None
    return Outside(call=lambda: None, then=lambda _result: match())


def then_serve(user_id: int) -> Outside | None:
    """An agent has room: look for work for them."""
    return then(lambda: serve(user_id))


def then_match(items: Iterable[int]) -> Outside | None:
    """These items wait: look for an agent for each."""
    ids = list(items)
    return then(lambda: match_all(ids))


def serve(user_id: int, forgotten: Set[int] = frozenset()) -> None:
    """Give an agent work until nothing fits. `forgotten`: items of which refusals have just been forgotten."""
    if matching.serve(user_id, once=not writers_take_turns(), forgotten=forgotten) and not writers_take_turns():
        afterwards(lambda: serve(user_id, forgotten))


def serve_all(users: Iterable[int]) -> None:
    """Look for work for each of these people who are available."""
    for user_id in users:
        afterwards(partial(serve, user_id))


def ask_again(items: Iterable[int], users: Iterable[int]) -> None:
    """Forget refusals of these items where nobody else is left; then look for work for these people, who get the best of everything."""
    forgotten: set[int] = set()

    def forget(item_id: int) -> None:
        if matching.forget_refusals(item_id):
            forgotten.add(item_id)

    for item_id in items:
        afterwards(partial(forget, item_id))
    for user_id in users:
        afterwards(partial(serve, user_id, forgotten))


def match_all(items: Iterable[int]) -> None:
    """Look for an agent for each of these items that wait."""
    for item_id in items:
        afterwards(partial(matching.match_item, item_id))


def afterwards(call: Callable[[], object]) -> None:
    """Do it in a transaction of its own, once this one is durable; at once where writers take turns. The sweep mends what a crash cuts."""
    if writers_take_turns():
        call()
        return

    def own() -> None:
        with db.transaction():
            call()

    db.after_commit(own)
