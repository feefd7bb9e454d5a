"""All pages of the knowledge base's authors: importing them completes their blueprint."""

from __future__ import annotations

from helpdesk.kb import about_views, care_views, history_views, insight_views, template_views, word_views
from helpdesk.kb.authoring_views import bp
from helpdesk.kb.exchange import views as exchange_views

__all__ = ["about_views", "bp", "care_views", "exchange_views", "history_views", "insight_views", "template_views", "word_views"]
