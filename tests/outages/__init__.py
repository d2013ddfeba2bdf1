"""Ten minutes without a server or a store, in each phase of a run, on our own time."""
