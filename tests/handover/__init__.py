"""Processes that pass one tracker on to each other, and some that are killed."""
