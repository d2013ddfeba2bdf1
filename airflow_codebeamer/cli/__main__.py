"""`python -m airflow_codebeamer.cli`."""

from __future__ import annotations

import sys

from airflow_codebeamer.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
