"""The REST API under /api/v1: every resource's routes, bound to one blueprint."""

from __future__ import annotations

import importlib

from flask import Blueprint

from helpdesk.channels.api import routes

bp = Blueprint("api", __name__)

#: One module or package per resource, in the document's order. A new capability adds its own line.
RESOURCES = (
    "helpdesk.channels.api.tickets.reading",
    "helpdesk.channels.api.tickets.changes",
    "helpdesk.channels.api.messages",
    "helpdesk.channels.api.contacts",
    "helpdesk.channels.api.orders",
    "helpdesk.channels.api.interactions",
    "helpdesk.channels.api.articles",
    "helpdesk.channels.api.desk",
    "helpdesk.channels.api.docs",
)

for module in RESOURCES:
    importlib.import_module(module)
routes.bind(bp, routes.ROUTES)
