"""Do earlier questions foretell later ones? How much `asked` may count in one knowledge base, measured on its own log.

Where customers ask the same few things in other words, the article that solved the nearest earlier question solves this one, too. Where
each question is about another detail (an encyclopaedia), it does not, and earlier questions only draw attention to wrong articles. So
each confirmed question is held against all the others: how often does the nearest one belong to the same article?
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable

MOST = 4_000  # questions held in mind
TRIED = 500  # of which so many are held against the others
#: Below the first, earlier questions hardly help; from the second on they count in full. Chosen on the tuning halves of three public sets.
_DOUBTFUL, _TRUSTED = 0.4, 0.5
_LEAST = 0.1


def agreement(questions: Iterable[tuple[str, Iterable[str]]]) -> float:
    """The share of questions, each (article, stems), whose nearest other question belongs to the same article; 1.0 without questions."""
    asked = [(article, frozenset(stems)) for article, stems in questions][:MOST]
    if len(asked) < 2:
        return 1.0
    counts = Counter(stem for _, stems in asked for stem in stems)
    weights = {stem: math.log(1 + (len(asked) - n + 0.5) / (n + 0.5)) for stem, n in counts.items()}
    lengths = [math.sqrt(sum(weights[stem] for stem in stems)) or 1.0 for _, stems in asked]
    having: dict[str, list[int]] = defaultdict(list)
    for number, (_, stems) in enumerate(asked):
        for stem in stems:
            having[stem].append(number)
    tried = range(0, len(asked), max(1, len(asked) // TRIED))
    return sum(_agrees(number, asked, weights, lengths, having) for number in tried) / len(tried)


def share(agreed: float) -> float:
    """What part of its weight `asked` keeps."""
    return max(_LEAST, min(1.0, (agreed - _DOUBTFUL) / (_TRUSTED - _DOUBTFUL)))


def _agrees(
    number: int, asked: list[tuple[str, frozenset[str]]], weights: dict[str, float], lengths: list[float], having: dict[str, list[int]]
) -> bool:
    common: dict[int, float] = defaultdict(float)
    for stem in asked[number][1]:
        for other in having[stem]:
            common[other] += weights[stem]
    common.pop(number, None)
    nearest = max(common, key=lambda other: (common[other] / lengths[other], -other), default=None)
    return nearest is not None and asked[nearest][0] == asked[number][0]
