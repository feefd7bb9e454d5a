"""Lists coming in and going out: reading files of other programs, taking their rows in with undo, and writing ours down for them."""
