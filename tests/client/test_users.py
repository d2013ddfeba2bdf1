from __future__ import annotations

import pytest

from airflow_codebeamer.emulator import Emulator, WorldBuilder
from airflow_codebeamer.errors import ForbiddenError, UnauthorizedError


def test_an_account_is_found_by_its_log_in_name(client):
    found = client.users.find_user("generator")

    assert found is not None
    assert found.name == "generator"
    assert client.users.find_user("nobody") is None


def test_a_name_is_sent_whole(serve, client_for):
    wire = serve({"id": 1, "name": "a&b=c d/é"})

    assert client_for(wire.url).users.find_user("a&b=c d/é") is not None
    assert wire.paths == ["/cb/api/v3/users/findByName?name=a%26b%3Dc+d%2F%C3%A9"]


def test_an_empty_answer_is_nobody(serve, client_for):
    assert client_for(serve(b"").url).users.find_user("bob") is None


def test_roles_are_listed(client):
    names = {role.name for role in client.users.list_roles()}

    assert {"Developer", "Tester", "Generator"} <= names


def test_group_members_are_listed(client_for):
    builder = WorldBuilder()
    builder.user("root", system_admin=True)
    group = builder.group("Team", builder.user("ann"), builder.user("ben"))
    with Emulator(world=builder.build()) as emulator:
        root = client_for(emulator.url, login="root", password="root")

        members = root.users.list_group_members(group)

        assert [member.name for member in members] == ["ann", "ben"]
        root.close()


def test_a_wrong_password_says_what_to_check(client_for, emulator):
    client = client_for(emulator.url, login="generator", password="wrong")

    with pytest.raises(UnauthorizedError, match="check login and password"):
        client.users.find_user("generator")


def test_an_account_without_remote_access_is_told_what_it_needs(client_for):
    builder = WorldBuilder()
    builder.user("bot", rest_access=False)
    with Emulator(world=builder.build()) as emulator:
        client = client_for(emulator.url, login="bot", password="bot")

        with pytest.raises(ForbiddenError, match="Rest / Remote API - Access"):
            client.users.find_user("bot")
        client.close()


def test_a_token_logs_in(client_for):
    builder = WorldBuilder()
    builder.user("bot", token="tok-en")
    with Emulator(world=builder.build()) as emulator:
        client = client_for(emulator.url, login="bot", token="tok-en")

        assert client.users.find_user("bot") is not None
        client.close()
