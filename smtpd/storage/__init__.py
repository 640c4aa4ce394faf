"""The parts of the store: the one place where the daemon meets Django's side."""
