"""The rights of roles: read, taken away, watched, given back, explained."""
