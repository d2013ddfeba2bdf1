"""Random faults at random moments of the template, and what is left afterwards.

`python -m tests.airflow.rounds [--count N] [--seed S] [--write]` plays rounds on
several trackers of one real Airflow at the same time.
"""
