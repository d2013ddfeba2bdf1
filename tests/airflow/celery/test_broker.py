"""The broker of the rows keeps what it had, and loses it when it shall."""

from __future__ import annotations

from pathlib import Path

from redis import Redis

from tests.airflow.celery.broker import EmbeddedRedis


def test_a_killed_broker_has_what_it_had_until_it_forgets(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path / "redis") as broker:
        put(broker)
        assert broker.waiting() == 1
        broker.kill()
        assert not broker.is_running
        broker.start()
        assert broker.waiting() == 1
        broker.kill()
        broker.forget()
        broker.start()
        assert broker.waiting() == 0
    assert not broker.is_running


def put(broker: EmbeddedRedis) -> None:
    with Redis(port=broker.port) as client:
        client.rpush("default", "a message")
