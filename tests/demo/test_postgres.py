from __future__ import annotations

import pytest
import sqlalchemy

from airflow_codebeamer.demo import EmbeddedPostgres

pytestmark = pytest.mark.postgres


def test_a_database_of_our_own_answers_until_the_end() -> None:
    with EmbeddedPostgres() as server:
        server.create_database("mine")
        engine = sqlalchemy.create_engine(server.url("mine"))
        with engine.connect() as connection:
            name = connection.scalar(sqlalchemy.text("SELECT current_database()"))
        assert name == "mine"
        assert server.url("mine", "asyncpg").startswith("postgresql+asyncpg://")
        engine.dispose()

    with pytest.raises(sqlalchemy.exc.OperationalError), engine.connect():
        pass
    engine.dispose()
