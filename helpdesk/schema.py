"""The schema's history: brings a database to this version of the desk, and says where it stands. Steps live in `migrations/versions`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import inspect

from helpdesk import db

if TYPE_CHECKING:
    from alembic.config import Config

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
    from alembic import command

    command.upgrade(_config(), to)


def downgrade(to: str) -> None:
    """Take steps back; `base` empties the database. For tests and for leaving a failed release."""
    from alembic import command

    command.downgrade(_config(), to)


def current() -> str | None:
    """The step the database stands at; None for an empty one. Asked at each start: Alembic, 8 MB, stays out of a server that runs."""
    with db.engine().connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        step: str | None = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
        return step


def newest() -> str | None:
    """The step this code wants: files are named after their steps, which are numbered."""
    return max((path.stem.partition("_")[0] for path in (FOLDER / "versions").glob("[0-9]*.py")), default=None)


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    return config
