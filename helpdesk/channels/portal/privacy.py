"""Privacy of the portal's tables: an administrator's notices, about nobody."""

from __future__ import annotations

from helpdesk.privacy import classify

classify("notice", operational="text text_ru")
