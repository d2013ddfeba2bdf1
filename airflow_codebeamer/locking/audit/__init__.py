"""Who else changed something while the lock was held."""
