"""`python -m tests.airflow.celery [ROW ...] [--write]`."""

from __future__ import annotations

import sys

from tests.airflow.celery.site import CelerySite
from tests.airflow.celery.table import ROWS
from tests.airflow.matrix.command import main
from tests.airflow.matrix.page import CELERY, write

if __name__ == "__main__":
    sys.exit(
        main(
            "python -m tests.airflow.celery",
            ROWS,
            CelerySite,
            lambda outcomes: write(outcomes, CELERY),
        )
    )
