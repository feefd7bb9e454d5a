"""For those who lead: who is free and why not, moving work by hand, dry runs on a recorded week, staffing."""
