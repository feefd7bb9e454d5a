"""Who the customer is, what they are worth and how they feel. Knows nothing of tickets, agents or channels above it."""
