"""A name server's zone for tests: text records by their name, other records by "KIND name". Nobody asks a real one."""

from __future__ import annotations

from collections.abc import Mapping

from helpdesk.channels.email import names

#: One record, several, or nobody who answers.
Zone = Mapping[str, bytes | list[bytes] | None]


def records_in(zone: Zone, name: str, kind: str) -> list[bytes]:
    """What the zone's server says; None in the zone stands for a server that does not answer."""
    found = zone.get(name if kind == "TXT" else f"{kind} {name}", [])
    if found is None:
        raise names.Unanswered
    return [found] if isinstance(found, bytes) else list(found)
