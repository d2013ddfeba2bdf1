"""The most telling rows of the matrix; all of them: `make matrix`."""

from __future__ import annotations

import pytest

from tests.airflow.matrix.command import list_left
from tests.airflow.matrix.play import play_all
from tests.airflow.matrix.row import Outcome
from tests.airflow.matrix.site import Site
from tests.airflow.matrix.table import ROWS

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.postgres,
    pytest.mark.timeout(300),
    pytest.mark.xdist_group("matrix"),
]

#: What releases when no callback of a task runs: the teardown after a kill, after a
#: hand, after a lock that was taken half-way, for a run that begins again; and the
#: DAG's callback where not even the teardown runs.
CHOSEN = {"5": "teardown", "15": None, "19": None, "20": None, "30": "teardown"}


@pytest.fixture(scope="module")
def outcomes(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: object
) -> dict[str, Outcome]:
    # The server of the root fixture runs, so the account of PostgreSQL exists.
    rows = [row for row in ROWS if row.number in CHOSEN]
    folder = tmp_path_factory.mktemp("matrix")
    with Site(folder, rows, janitor=False) as site:
        played = play_all(site, rows, at_once=len(rows))
    assert list_left(folder) == []
    return {one.row.number: one for one in played}


@pytest.mark.parametrize("number", CHOSEN)
def test_no_failure_leaves_a_lock_behind(
    outcomes: dict[str, Outcome], number: str
) -> None:
    outcome = outcomes[number]
    assert outcome.findings == (), outcome
    assert outcome.permissions == "as before"
    assert outcome.seconds is not None, "the permissions were never reduced"
    assert outcome.layers, "nobody says that he released"
    wanted = CHOSEN[number]
    assert wanted is None or wanted in outcome.layers
