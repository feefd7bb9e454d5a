"""Files on their way in and out: kept before the transaction that needs them, handed out only to whoever may read their message."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from flask import Response, send_file
from flask_babel import gettext as _
from sqlalchemy import select
from werkzeug.datastructures import FileStorage

from helpdesk import db, files, pictures, web
from helpdesk.auth import Principal
from helpdesk.errors import Invalid, NotFound, TooLarge
from helpdesk.tickets import plain, policy
from helpdesk.tickets.intake import NewFile
from helpdesk.tickets.models import Attachment, Message, Ticket

MOST_FILES = 10


@contextmanager
def keeping(uploads: Sequence[FileStorage], *, field: str = "files") -> Iterator[tuple[NewFile, ...]]:
    """Store what a form brought, for a block that opens its own transaction; taken out again when the block fails.

    Raises Invalid, naming the file, for an empty one, too many, or more than `max_upload_bytes` together; nothing is kept then.
    """
    if len(uploads) > MOST_FILES:
        raise Invalid(fields={field: _("Please attach at most %(n)s files.", n=MOST_FILES)})
    kept: list[NewFile] = []
    try:
        room = web.settings().max_upload_bytes
        for upload in uploads:
            new = _kept(upload, room, field)
            room -= new.stored.size
            kept.append(new)
        yield tuple(kept)
    except BaseException:
        for new in kept:
            files.store().delete(new.stored.key)
        raise


def _kept(upload: FileStorage, room: int, field: str) -> NewFile:
    name = shown_name(upload.filename or "")
    try:
        stored = files.store().put(upload.stream, limit=room)  # type: ignore[arg-type]
    except TooLarge:
        limit = web.settings().max_upload_bytes // 2**20
        raise Invalid(fields={field: _("%(name)s is too large: all files together may have %(n)s MB.", name=name, n=limit)}) from None
    if stored.size == 0:
        files.store().delete(stored.key)
        raise Invalid(fields={field: _("%(name)s is empty. Was it still being written? Choose it once more.", name=name)})
    return NewFile(name, upload.mimetype or "application/octet-stream", stored)


def shown_name(name: str) -> str:
    """A sender's file name as it may be shown and offered: one line, without folders and invisible characters."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    visible = "".join(c for c in unicodedata.normalize("NFC", last) if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Zl", "Zp"))
    return " ".join(visible.split()).strip(". ")[-200:] or "file"


def find(who: Principal, attachment_id: int) -> Attachment:
    """An attachment of a ticket that `who` may see; customers see what customers are shown. Raises NotFound."""
    row = _row(attachment_id, policy.visible(who))
    return _for_reader(row, customer=not who.staff)


def of_ticket(ticket: Ticket, attachment_id: int) -> Attachment:
    """An attachment for a customer whom a link let in to this one ticket. Raises NotFound."""
    return _for_reader(_row(attachment_id, Ticket.id == ticket.id), customer=True)


def answer(attachment: Attachment, *, inline: bool = False) -> Response:
    """The file itself: a download under its own name, or a raster picture to show in place."""
    path = files.store().path(attachment.object_key)
    shown = inline and raster_type(attachment.object_key)
    response = send_file(
        path,
        mimetype=shown or "application/octet-stream",
        as_attachment=not shown,
        download_name=shown_name(attachment.name),
        conditional=True,
        etag=attachment.sha256[:32],
        max_age=0,
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "private, no-cache"
    return response


def raster_type(key: str) -> str:
    """The type of a stored picture, or nothing for any other file."""
    with files.store().open(key) as file:
        return pictures.kind_of(file.read(16))


def _row(attachment_id: int, which: object) -> tuple[Attachment, Message] | None:
    found = (
        select(Attachment, Message)
        .join(Message, Message.id == Attachment.message_id)
        .join(Ticket, Ticket.id == Message.ticket_id)
        .where(Attachment.id == attachment_id, which)  # type: ignore[arg-type]
    )
    row = db.session().execute(found).first()
    return row


def _for_reader(row: tuple[Attachment, Message] | None, *, customer: bool) -> Attachment:
    if row is None or (customer and not plain.is_shown(row[1])):
        raise NotFound
    return row[0]
