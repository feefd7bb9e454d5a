"""Mail fetched from IMAP accounts: their settings, the connection, one round of fetching, and who fetches when.

`accounts` keeps what an administrator says, `connection` opens an account (with `oauth` where the provider wants it), `fetching` makes one
round: bytes durable first, then marked, moved or deleted on the server; `sorting` says for which inbox. `fetchers` runs rounds for as long
as the desk does.
"""
