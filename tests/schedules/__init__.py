"""Schedules: every crash, lost answer, late request and edit, in twos, on real code."""
