"""Helpdesk: contact centre, support desk and CRM in one Flask application."""

__version__ = "0.1.0"
