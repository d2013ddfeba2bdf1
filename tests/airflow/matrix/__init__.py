"""Every way in which Airflow can fail, done to real processes and measured.

`python -m tests.airflow.matrix [ROW ...] [--write]` runs rows, prints a table and
with `--write` makes docs/explanation/failures.md of it.
"""
