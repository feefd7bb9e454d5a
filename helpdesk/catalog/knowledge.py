"""What we know: articles on their way to readers."""

from __future__ import annotations

from helpdesk.actor import Actor
from helpdesk.events import event


@event
class ArticleAdded:
    """Somebody began an article."""

    article_id: int
    by: Actor


@event
class ArticleChanged:
    """Somebody edited an article's draft or what is known about it.

    `fields` are column names, `language` is empty for the article itself.
    """

    article_id: int
    by: Actor
    language: str = ""
    fields: tuple[str, ...] = ()


@event
class ArticleSentForReview:
    """An author asks whoever may publish to look at a draft."""

    article_id: int
    by: Actor
    language: str = ""


@event
class ArticleReturned:
    """A draft came back from its review: something is to be done first."""

    article_id: int
    by: Actor
    language: str = ""


@event
class ArticleScheduled:
    """A draft was approved and appears at a moment to come; `at` in seconds since 1970."""

    article_id: int
    at: float
    by: Actor
    language: str = ""


@event
class ArticlePublished:
    """A revision of an article is public, or visible to its audience."""

    article_id: int
    revision: int
    by: Actor
    language: str = ""


@event
class ArticleWithdrawn:
    """An article is no longer shown."""

    article_id: int
    by: Actor


@event
class ArticleJudged:
    """A reader said whether an article helped; a second opinion of the same reader replaces the first."""

    article_id: int
    helpful: bool
    by: Actor


@event
class ArticleImportStarted:
    """Somebody who may publish lets a file of articles in, or takes it back; the work goes on beside other work."""

    import_id: int
    by: Actor


@event
class ArticlesTakenIn:
    """A file of articles is in: how many articles were new, changed, left as they were, and could not be read."""

    import_id: int
    new: int
    changed: int
    same: int
    refused: int
    by: Actor


@event
class ReviewPlanned:
    """An article is to be looked at again on a day to come; `at` in seconds since 1970."""

    article_id: int
    at: float
    by: Actor


@event
class ReviewDue:
    """The day came on which an article is to be looked at again; `late` when it was a week ago and nobody did."""

    article_id: int
    late: bool
    by: Actor
