"""What a request can be about, and what is asked for each: typed fields with conditions, kept in `ticket.custom`."""
