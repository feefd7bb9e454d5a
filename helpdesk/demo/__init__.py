"""A believable sample company, so that the desk can be looked at before it is set up: its people, its past and its daily life."""
