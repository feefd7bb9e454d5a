"""Who answers, and who leads: presence, queues, routing, offers, assignments, macros, workspace, wallboard."""
