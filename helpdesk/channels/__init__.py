"""The doors: how the outside reaches the desk. One self-contained folder per door; each calls down into agents, tickets, crm and kb."""
