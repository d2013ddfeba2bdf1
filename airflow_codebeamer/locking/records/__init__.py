"""What the lock store keeps: rows of locks, queue, freezes and the ledger.

The only room of the lock that speaks SQL.
"""
