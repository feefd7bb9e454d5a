"""Privacy of the portal's tables: an administrator's notices, about nobody, and addresses that wait to be confirmed."""

from __future__ import annotations

from helpdesk.privacy import classify

classify("notice", operational="text text_ru")
classify("address_wish", personal="value value_norm", belongs="contact_id", erase="delete")
