"""The schema's history: brings a database to this version of the desk, and says where it stands. Steps live in `migrations/versions`."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from helpdesk import db

FOLDER = Path(__file__).parent / "migrations"

#: Modules that define tables: metadata is complete only once they are imported.
TABLES = (
    "helpdesk.auth",
    "helpdesk.events",
    "helpdesk.preferences",
    "helpdesk.crm.models",
    "helpdesk.crm.base_models",
    "helpdesk.crm.care_models",
    "helpdesk.crm.worth_models",
    "helpdesk.crm.privacy_models",
    "helpdesk.kb.models",
    "helpdesk.tickets.models",
    "helpdesk.tickets.topics.models",
    "helpdesk.channels.portal.models",
    "helpdesk.agents.models",
    "helpdesk.agents.scheduled.models",
    "helpdesk.agents.leading.models",
    "helpdesk.channels.email.models",
    "helpdesk.channels.email.imap.models",
    "helpdesk.channels.api.models",
)


def upgrade(to: str = "head") -> None:
    """Run the missing steps on the connected database."""
    command.upgrade(_config(), to)


def downgrade(to: str) -> None:
    """Take steps back; `base` empties the database. For tests and for leaving a failed release."""
    command.downgrade(_config(), to)


def current() -> str | None:
    """The step the database stands at; None for an empty one."""
    with db.engine().connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def newest() -> str | None:
    """The step this code wants."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    return config
