"""Fifty users hammer three trackers while a generator works under our locks."""
