"""Tickets for programs: `reading` lists and shows them, `changes` opens and changes them."""
