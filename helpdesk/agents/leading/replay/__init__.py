"""A recorded week once more, under other rules: arrivals, handling times, presence and people's ways as they were, every choice made by
`agents.ranking`.

`agents.simulation` draws its customers; here they are given. `leading.recorded` reads the week (`replay.week`), `replay.floor` lets it
happen, `replay.compare` puts the figures beside each other; `leading.dry_runs` runs all that as a process of its own (`python -m …replay`),
because it computes for seconds on end. Instants are seconds since the week began; what came before it has a negative one.
"""
