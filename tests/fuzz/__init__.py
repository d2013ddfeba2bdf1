"""Thousands of generated requests: what may never be answered, never is."""
