"""The replay as a process: {"week": …, "change": …} on standard input; lines of progress, then the comparison, on standard output."""

from __future__ import annotations

import json
import sys

from helpdesk.agents.leading.replay.compare import compare
from helpdesk.agents.leading.replay.week import change_of, week_of


def main() -> None:
    given = json.load(sys.stdin)
    last = -1

    def told(share: float) -> None:
        nonlocal last
        if int(share * 100) > last:
            last = int(share * 100)
            print(f"progress {last}", flush=True)

    result = compare(week_of(given["week"]), change_of(given["change"]), told)
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
