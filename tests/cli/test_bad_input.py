"""Bad input: an exit code, one clear sentence, and nothing is changed."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_codebeamer.database.schema import schema_table
from airflow_codebeamer.emulator import (
    DEMO_DERIVED_ID,
    DEMO_TEMPLATE_ID,
    DEMO_TRACKER_ID,
    Emulator,
)

TRACKER = str(DEMO_TRACKER_ID)
CAN = "airflow_codebeamer.generators.can:requirements"
ACQUIRE = ("lock", "acquire", TRACKER, "--owner", "me")


@pytest.fixture
def refused(server: Emulator, commands: Any, writes: Any) -> Callable[..., str]:
    """Return a function: run it, see it refused, return the one sentence."""
    before = server.permissions(DEMO_TRACKER_ID)

    def run(*args: str, code: int = 1, **changes: str) -> str:
        ran = commands.run(*args, **changes)
        assert ran.code == code, ran.err + ran.out
        assert ran.out == ""
        (sentence,) = ran.err.splitlines()
        assert "Traceback" not in sentence
        assert "bug of ours" not in sentence
        assert commands.secret not in sentence
        assert writes() == []
        assert server.items(DEMO_TRACKER_ID) == []
        assert server.permissions(DEMO_TRACKER_ID) == before
        told = commands.run(*args, "--json", **changes)
        assert told.code == code
        assert told.document["exit"] == code
        return str(sentence)

    return run


def test_a_wrong_address(refused: Any) -> None:
    sentence = refused(*ACQUIRE, CODEBEAMER_URL="http://127.0.0.1:1/cb")
    assert "127.0.0.1:1" in sentence
    assert "check address and port" in sentence


def test_a_host_that_nobody_knows(refused: Any) -> None:
    sentence = refused(*ACQUIRE, CODEBEAMER_URL="http://alm.example.invalid/cb")
    assert "alm.example.invalid" in sentence
    assert "check the address" in sentence


def test_an_address_that_is_none(refused: Any) -> None:
    assert "url: write" in refused(*ACQUIRE, CODEBEAMER_URL="alm.example", code=64)
    assert "--url" in refused(*ACQUIRE, CODEBEAMER_URL="", code=64)


def test_an_address_that_is_another_server(refused: Any, server: Emulator) -> None:
    url = server.url.removesuffix("/cb") + "/emulator/health"
    assert "REST API v3" in refused(*ACQUIRE, CODEBEAMER_URL=url, code=64)


def test_a_web_server_that_is_no_codebeamer(refused: Any, web: Any) -> None:
    sentence = refused(*ACQUIRE, CODEBEAMER_URL=web())
    assert "REST API v3" in sentence


def test_tls_where_there_is_none(refused: Any, server: Emulator) -> None:
    url = server.url.replace("http:", "https:")
    sentence = refused(*ACQUIRE, CODEBEAMER_URL=url)
    assert "No TLS connection" in sentence
    assert "check port and https" in sentence


def test_a_certificate_that_nobody_signed(
    refused: Any, web: Any, self_signed: Path
) -> None:
    url = web(self_signed)
    sentence = refused(*ACQUIRE, CODEBEAMER_URL=url)
    assert "not trusted" in sentence
    assert "`verify`" in sentence
    # As the sentence says: with the bundle TLS is right, and what answers is not.
    trusted = {"CODEBEAMER_URL": url, "CODEBEAMER_VERIFY": str(self_signed)}
    assert "REST API v3" in refused(*ACQUIRE, **trusted)


def test_a_bundle_that_is_none(refused: Any, web: Any, self_signed: Path) -> None:
    url = web(self_signed)
    empty = self_signed.with_name("empty.pem")
    empty.touch()
    assert "`verify`" in refused(*ACQUIRE, "--verify", str(empty), CODEBEAMER_URL=url)


def test_a_wrong_password(refused: Any) -> None:
    sentence = refused(*ACQUIRE, CODEBEAMER_PASSWORD="not-it")
    assert "check login and password" in sentence
    assert "not-it" not in sentence


def test_no_password(refused: Any, tmp_path: Path) -> None:
    sentence = refused(*ACQUIRE, CODEBEAMER_PASSWORD="", code=64)
    assert "CODEBEAMER_PASSWORD" in sentence
    sentence = refused(*ACQUIRE, "--password-file", str(tmp_path / "no"), code=64)
    assert "cannot be read: No such file" in sentence
    binary = tmp_path / "binary"
    binary.write_bytes(b"top-secret\xff")
    sentence = refused(*ACQUIRE, "--password-file", str(binary), code=64)
    assert "no text" in sentence
    assert "top-secret" not in sentence


def test_a_token(commands: Any, refused: Any, server: Emulator) -> None:
    world = server.world()
    for user in world["users"]:
        if user["name"] == "generator":
            user["token"] = commands.secret
    server.load_world(world)
    sentence = refused(*ACQUIRE, CODEBEAMER_PASSWORD="", CODEBEAMER_TOKEN="not-it")
    assert "token" in sentence
    assert "not-it" not in sentence
    ran = commands.run(
        *ACQUIRE, CODEBEAMER_PASSWORD="", CODEBEAMER_TOKEN=commands.secret
    )
    assert ran.code == 0, ran.err


def test_a_password_file(commands: Any, tmp_path: Path) -> None:
    file = tmp_path / "password-file"
    file.write_text(f"{commands.secret}\n")
    ran = commands.run(
        *ACQUIRE, "--password-file", str(file), CODEBEAMER_PASSWORD="wrong"
    )
    assert ran.code == 0, ran.err


def test_an_account_without_rest_access(refused: Any, server: Emulator) -> None:
    world = server.world()
    for user in world["users"]:
        if user["name"] == "generator":
            user["rest_access"] = False
    server.load_world(world)
    assert "REST" in refused(*ACQUIRE)


def test_a_missing_role(refused: Any) -> None:
    sentence = refused(*ACQUIRE, "--exclusive-role", "Generators")
    assert "Generators" in sentence
    assert "Developer" in sentence
    assert "exclusive role" in refused(*ACQUIRE, CODEBEAMER_EXCLUSIVE_ROLE="")


def test_a_role_with_other_members(refused: Any, server: Emulator) -> None:
    world = server.world()
    roles = {role["name"]: role["id"] for role in world["roles"]}
    members = world["projects"][0]["members"]
    alice = next(user["id"] for user in world["users"] if user["name"] == "alice")
    members[str(alice)].append(roles["Generator"])
    server.load_world(world)
    assert "alice" in refused(*ACQUIRE)


def test_a_missing_tracker(refused: Any, tmp_path: Path) -> None:
    assert "9999" in refused("lock", "acquire", "9999", "--owner", "me")
    document = {"owner": "o", "target": {"tracker": 9999}, "items": []}
    assert "9999" in refused("apply", written(tmp_path, document))
    document["target"] = {"project": "BRK", "tracker": "SYSRQ"}
    assert "System Requirements" in refused("apply", written(tmp_path, document))


@pytest.mark.parametrize("tracker", [DEMO_TEMPLATE_ID, DEMO_DERIVED_ID])
def test_a_tracker_of_a_template(refused: Any, tracker: int) -> None:
    assert "template" in refused("lock", "acquire", str(tracker), "--owner", "me")


def test_a_dbc_that_does_not_parse(refused: Any, tmp_path: Path) -> None:
    broken = tmp_path / "broken.dbc"
    broken.write_text("BO_ nothing like it")
    args = ("--generator", CAN, "--tracker", TRACKER, "--arg", f"dbc={broken}")
    sentence = refused("apply", *args)
    assert "broken.dbc: not a readable DBC file" in sentence


def test_a_dbc_that_is_missing(refused: Any, tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.dbc")
    args = ("--generator", CAN, "--tracker", TRACKER, "--arg", f"dbc={missing}")
    sentence = refused("apply", *args, code=64)
    assert missing in sentence
    assert "give the path" in sentence


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (("--generator", CAN), 64, "--tracker"),
        (("--generator", CAN, "--tracker", TRACKER, "--arg", "dbc"), 64, "name=value"),
        (("--generator", CAN, "--tracker", TRACKER, "--arg", "dcb=1"), 64, "'dbc'"),
        (("--generator", CAN, "--tracker", TRACKER, "--arg", "dbc=no"), 64, "no file"),
        (("--generator", "nix:x", "--tracker", TRACKER), 1, "no module 'nix'"),
        (("--generator", "nix", "--tracker", TRACKER), 1, "there are: can-requ"),
        (("--generator", CAN[:-1], "--tracker", TRACKER), 1, "mean 'requirements'?"),
        ((), 64, "give either"),
        (("no.yaml", "--generator", CAN, "--tracker", TRACKER), 64, "give either"),
        (("no.yaml", "--arg", "a=b"), 64, "only a --generator"),
        (("no.yaml",), 1, "no.yaml"),
    ],
)
def test_what_to_apply_is_not_said_well(
    refused: Any, args: tuple[str, ...], code: int, says: str
) -> None:
    assert says in refused("apply", *args, code=code)
    assert says in refused("plan", *args, code=code)


@pytest.mark.parametrize(
    ("items", "says"),
    [
        (
            [{"key": "a", "name": "A"}, {"key": "a", "name": "B"}],
            "'a' is used already",
        ),
        ([{"key": "a", "name": "A", "fields": {"ASLI": "D"}}], "mean 'ASIL'?"),
        ([{"key": "a", "name": "A", "fields": {"ASIL": "E"}}], "QM, A, B, C, D"),
        (
            [{"key": "a", "name": "A", "fields": {"Byte Order": "litle endian"}}],
            "mean 'little endian'?",
        ),
        ([{"key": "a", "name": "A", "type": "Foldr"}], "mean 'Folder'?"),
        ([{"key": "a", "nme": "A"}], "name"),
        (
            [
                {"key": "a", "name": "A", "parent": "b"},
                {"key": "b", "name": "B", "parent": "a"},
            ],
            "circle",
        ),
    ],
)
def test_a_document_that_cannot_be(
    refused: Any, tmp_path: Path, items: list[Any], says: str
) -> None:
    document = {"owner": "o", "target": {"tracker": DEMO_TRACKER_ID}, "items": items}
    path = written(tmp_path, document)
    for command in ("plan", "apply"):
        sentence = refused(command, path)
        assert says in sentence
        assert "items[" in sentence


def test_a_document_that_is_no_yaml(refused: Any, tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text("owner: [\n")
    assert "line" in refused("plan", str(path))


def test_a_store_that_is_newer(refused: Any, commands: Any, tmp_path: Path) -> None:
    commands.json("store", "migrate")
    store = sqlite3.connect(tmp_path / "locks.db")
    store.execute(f"UPDATE {schema_table.name} SET version = version + 99")
    store.commit()
    store.close()
    sentence = refused(*ACQUIRE)
    assert "upgrade airflow-provider-codebeamer" in sentence
    assert refused("store", "check") == sentence
    assert refused("store", "migrate") == sentence


def test_a_store_that_cannot_be_written(refused: Any, tmp_path: Path) -> None:
    missing = f"sqlite:///{tmp_path}/nowhere/locks.db"
    assert refused(*ACQUIRE, CODEBEAMER_LOCK_STORE=missing)
    assert refused(*ACQUIRE, CODEBEAMER_LOCK_STORE="nonsense", code=64)


def test_a_store_that_is_read_only(refused: Any, commands: Any, tmp_path: Path) -> None:
    commands.json("store", "migrate")
    file = tmp_path / "locks.db"
    before = file.read_bytes()
    for store, says in (
        (f"sqlite:///file:{file}?mode=ro&uri=true", "is read-only: give this account"),
        # Nobody may make a file there, not even root.
        ("sqlite:////proc/locks.db", "may this account write there?"),
    ):
        assert says in refused(*ACQUIRE, CODEBEAMER_LOCK_STORE=store)
    if os.geteuid() != 0:
        file.chmod(0o444)
        assert "read-only: give this account" in refused(*ACQUIRE)
    assert file.read_bytes() == before


# A store on a network share is refused in tests/database/test_place.py: what is
# mounted where cannot be told to a command, only to `Database`.


def test_a_postgres_that_does_not_answer(refused: Any) -> None:
    for host in ("127.0.0.1:1", "locks.example.invalid"):
        store = f"postgresql://me:hunter2@{host}/locks"
        sentence = refused(*ACQUIRE, CODEBEAMER_LOCK_STORE=store)
        assert host in sentence
        assert "does not answer: is the server running" in sentence
        assert "hunter2" not in sentence


@pytest.mark.postgres
def test_a_postgres_that_refuses_the_password(
    refused: Any, commands: Any, postgres_server: Any, postgres_url: str
) -> None:
    name = postgres_url.partition("?")[0].rpartition("/")[2]
    postgres_server.run(f"CREATE ROLE cli_{name} LOGIN PASSWORD 'right'")
    rules = postgres_server.data / "pg_hba.conf"
    old_rules = rules.read_text("utf-8")
    rules.write_text(f"local all cli_{name} scram-sha-256\n{old_rules}", "utf-8")
    postgres_server.run("SELECT pg_reload_conf()")
    store = postgres_server.address(name, user=f"cli_{name}", password="hunter2")
    try:
        # The server takes new rules a moment after it was told.
        until = time.monotonic() + 20
        while "log-in" not in commands.run("lock", "list", "--store", store).err:
            assert time.monotonic() < until
        sentence = refused(*ACQUIRE, CODEBEAMER_LOCK_STORE=store)
    finally:
        rules.write_text(old_rules, "utf-8")
        postgres_server.run("SELECT pg_reload_conf()")
        postgres_server.run(f"DROP OWNED BY cli_{name}")
        postgres_server.run(f"DROP ROLE cli_{name}")
    assert "refuses the log-in: check user and password" in sentence
    assert "hunter2" not in sentence


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ((), "Missing command"),
        (("lokc",), "mean 'lock'?"),
        (("lock", "acquire", TRACKER), "--owner"),
        (("lock", "acquire", "x", "--owner", "me"), "valid integer"),
        (("lock", "acquire", "0", "--owner", "me"), "trackers"),
        ((*ACQUIRE, "--lease", "soon"), "--lease"),
        ((*ACQUIRE, "--wait", "5"), "--wait"),
        ((*ACQUIRE, "--timing", "ttl=1s"), "beat"),
        ((*ACQUIRE, "--timing", "tll=1s"), "ttl"),
        ((*ACQUIRE, "--verify", "maybe"), "--verify"),
        ((*ACQUIRE, "--requests-per-second", "-1"), "greater"),
        ((*ACQUIRE, "--speed", "3"), "--speed"),
        (("lock", "break", TRACKER), "--reason"),
        (("lock", "accept", TRACKER), "--reason"),
        (("emulator", "serve", "--world", "moon"), "moon"),
        (("emulator", "serve", "--throttle", "fast"), "throttle"),
        (("emulator", "serve", "--latency", "slow"), "--latency"),
        (("rollback", "no-such-run"), "no-such-run"),
    ],
)
def test_wrong_usage_is_exit_code_64(
    refused: Any, args: tuple[str, ...], says: str
) -> None:
    assert says in refused(*args, code=64)


def test_no_secret_is_told(commands: Any, server: Emulator) -> None:
    ran = commands.run(
        *ACQUIRE,
        "--debug",
        "--json",
        CODEBEAMER_PASSWORD="hunter2",
        CODEBEAMER_LOCK_STORE="postgresql://me:hunter2@127.0.0.1:1/db",
    )
    assert ran.code == 1
    assert "Traceback" in ran.err
    assert "hunter2" not in ran.err + ran.out


def written(folder: Path, document: dict[str, Any]) -> str:
    path = folder / "document.json"
    path.write_text(json.dumps(document))
    return str(path)
