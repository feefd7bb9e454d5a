"""Replies that leave later: written now, sent at their hour, held back when the customer writes first."""

from __future__ import annotations
