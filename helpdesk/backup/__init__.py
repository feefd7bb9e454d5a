"""Backup while the desk runs, and restore: one file that either database engine can be restored from.

`tables` writes and reads a table as text, `archive` is the file, `taking` makes one from a snapshot, `restoring` brings one back.
"""

from helpdesk.backup.commands import backup, restore

__all__ = ["backup", "restore"]
