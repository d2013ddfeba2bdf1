"""`python -m tests.airflow.matrix [ROW ...] [--write]`."""

from __future__ import annotations

import sys

from tests.airflow.matrix.command import main
from tests.airflow.matrix.page import LOCAL, write
from tests.airflow.matrix.site import Site
from tests.airflow.matrix.table import ROWS

if __name__ == "__main__":
    sys.exit(
        main(
            "python -m tests.airflow.matrix",
            ROWS,
            Site,
            lambda outcomes: write(outcomes, LOCAL),
        )
    )
