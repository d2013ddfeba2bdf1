from __future__ import annotations

import base64
import logging
import os
import re
import socket
import struct
import threading
import time
import traceback
from datetime import timedelta

import pytest

from airflow_codebeamer import __version__
from airflow_codebeamer.clock import SystemClock
from airflow_codebeamer.errors import (
    CodebeamerError,
    ConfigurationError,
    ContractError,
    ForbiddenError,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    RateLimitedError,
    Retry,
    ServerError,
    UnauthorizedError,
)
from airflow_codebeamer.ids import ItemId, RoleId, TrackerId
from airflow_codebeamer.models import ItemPatch, NewItem

ITEM = {"id": 7, "name": "Brake"}
NEW = NewItem("Brake")


def create(client):
    return client.items.create_item(TrackerId(1), NEW)


def get(client):
    return client.items.get_item(ItemId(7))


# What the server does to the wire.


def hang_up(handler):
    """Close without a word, the request having arrived."""
    handler.close_connection = True


def reset(handler):
    """Close with RST."""
    linger = struct.pack("ii", 1, 0)
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    handler.connection.close()
    handler.close_connection = True


def cut_short(handler):
    """Promise more bytes than come."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", "500")
    handler.end_headers()
    handler.wfile.write(b'{"id": 7,')
    handler.close_connection = True


def cut_chunk(handler):
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(b'40\r\n{"id": 7,')
    handler.close_connection = True


def say_nonsense(handler):
    handler.wfile.write(b"SSH-2.0-OpenSSH_9.6\r\n")
    handler.close_connection = True


def bad_gzip(handler):
    handler.send_response(200)
    handler.send_header("Content-Encoding", "gzip")
    handler.send_header("Content-Length", "5")
    handler.end_headers()
    handler.wfile.write(b"nozip")


def stall(handler):
    time.sleep(1)
    handler.close_connection = True


BROKEN = [hang_up, reset, cut_short, cut_chunk, say_nonsense, bad_gzip]


@pytest.mark.parametrize("fault", BROKEN)
def test_a_write_whose_answer_is_lost_is_sent_once(serve, client_for, fault):
    wire = serve(fault, ITEM)
    client = client_for(wire.url)

    with pytest.raises(OutcomeUnknownError) as caught:
        create(client)

    assert [seen.method for seen in wire.requests] == ["POST"]
    assert client.requests_made == 1
    assert caught.value.retry is Retry.AFTER_LOOKING
    assert caught.value.address == wire.url
    assert "look before writing again" in str(caught.value)


@pytest.mark.parametrize("fault", BROKEN)
def test_a_read_whose_answer_is_lost_is_repeated(serve, client_for, fault, clock):
    wire = serve(fault, fault, ITEM)
    client = client_for(wire.url)

    assert get(client).name == "Brake"
    assert client.requests_made == 3
    assert clock.monotonic() == pytest.approx(1.5)


def test_a_read_is_not_repeated_for_ever(serve, client_for):
    wire = serve(hang_up)
    client = client_for(wire.url)

    with pytest.raises(OutcomeUnknownError):
        get(client)

    assert len(wire.requests) == 4


@pytest.mark.parametrize("fault", [hang_up, reset])
def test_a_write_on_a_kept_connection_that_breaks_is_sent_once(
    serve, client_for, fault
):
    """The trap of keep-alive: libraries like to repeat here, unseen."""
    wire = serve(ITEM, fault, ITEM)
    client = client_for(wire.url)
    get(client)

    with pytest.raises(OutcomeUnknownError):
        create(client)

    assert wire.accepted == 1
    assert [seen.method for seen in wire.requests] == ["GET", "POST"]


def test_a_connection_that_the_server_closed_meanwhile_is_replaced(serve, client_for):
    def answer_and_leave(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "9")
        handler.end_headers()
        handler.wfile.write(b'{"id": 7}')
        handler.close_connection = True

    wire = serve(answer_and_leave, ITEM)
    client = client_for(wire.url)
    get(client)
    time.sleep(0.05)

    assert create(client).id == 7
    assert wire.accepted == 2
    assert client.requests_made == 2


def test_a_slow_answer_to_a_write_is_an_unknown_outcome(serve, client_for):
    wire = serve(stall)
    client = client_for(wire.url, read_timeout_seconds=0.1)

    with pytest.raises(OutcomeUnknownError, match=r"within 0\.1 seconds"):
        create(client)

    assert len(wire.requests) == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_failing_server_is_asked_again_only_for_reads(serve, client_for, status):
    wire = serve((status, b"<html>bad gateway</html>"), ITEM)

    assert get(client_for(wire.url)).id == 7
    assert len(wire.requests) == 2

    wire = serve((status, {"message": "boom"}), ITEM)
    with pytest.raises(ServerError, match="boom"):
        create(client_for(wire.url))
    assert len(wire.requests) == 1


def test_the_server_s_wait_is_kept_to_the_second(serve, client_for, clock):
    told = {"message": "Too many requests", "retryAfterSecond": 7}
    wire = serve((429, told), ITEM)

    create(client_for(wire.url))

    assert [seen.at_seconds for seen in wire.requests] == [0, 7]


@pytest.mark.parametrize(
    ("answer", "wait_seconds"),
    [
        ((429, b"<e>Too many requests</e>", {"Retry-After": "11"}), 11),
        ((429, b"<e>Too many requests</e>"), 0.5),
        ((429, b""), 0.5),
    ],
)
def test_a_throttle_without_json_is_obeyed_too(serve, client_for, answer, wait_seconds):
    wire = serve(answer, ITEM)

    get(client_for(wire.url))

    assert [seen.at_seconds for seen in wire.requests] == [0, wait_seconds]


def test_a_very_long_wait_is_the_caller_s(serve, client_for, clock):
    client = client_for(serve((429, {"retryAfterSecond": 999})).url)

    with pytest.raises(RateLimitedError) as caught:
        get(client)

    assert caught.value.retry_after == timedelta(seconds=999)
    assert clock.monotonic() == 0


def test_a_throttle_holds_every_thread(serve, client_for, clock):
    """Four threads on one client: after the 429 nobody sends for 20 seconds."""
    wire = serve((429, {"retryAfterSecond": 20}), ITEM)
    client = client_for(wire.url, requests_per_second=None, requests_per_minute=None)
    threads = [threading.Thread(target=get, args=(client,)) for _ in range(4)]
    threads[0].start()
    while not wire.requests:
        time.sleep(0.001)
    while client._transport._pace._held_until < 20:
        time.sleep(0.001)
    for thread in threads[1:]:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert [seen.at_seconds for seen in wire.requests] == [0, 20, 20, 20, 20]


def test_requests_keep_the_pace(serve, client_for):
    wire = serve(ITEM)
    client = client_for(wire.url, requests_per_second=3, requests_per_minute=120)

    for _ in range(7):
        get(client)

    times = [seen.at_seconds for seen in wire.requests]
    assert times == pytest.approx([0, 0, 0, 1, 1, 1, 2], abs=1e-3)


# Nothing was sent.


def closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_refused_connection_was_not_sent(client_for, clock):
    client = client_for(f"http://127.0.0.1:{closed_port()}/cb")

    with pytest.raises(NotSentError, match="nothing listens there") as caught:
        create(client)

    assert caught.value.retry is Retry.YES
    assert client.requests_made == 4
    assert clock.monotonic() == pytest.approx(3.5)


def test_a_write_that_was_not_sent_is_repeated(client_for):
    """The server appears while the client waits for its next try."""
    port = closed_port()
    client = client_for(f"http://127.0.0.1:{port}/cb", on=SystemClock())
    arrived = []

    def open_late():
        time.sleep(0.2)
        with socket.create_server(("127.0.0.1", port)) as server:
            connection, _ = server.accept()
            with connection:
                arrived.append(connection.recv(65536))
                connection.sendall(
                    b'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"id": 7}'
                )

    late = threading.Thread(target=open_late)
    late.start()
    try:
        assert create(client).id == 7
    finally:
        late.join(10)

    assert client.requests_made == 2
    assert len(arrived) == 1


def test_an_unknown_name_was_not_sent(client_for):
    with pytest.raises(NotSentError, match="no machine has that name"):
        create(client_for("http://no-such-host.invalid/cb"))


def test_no_connection_in_time_was_not_sent(client_for):
    with socket.socket() as full:
        # A full backlog: the kernel leaves further connections unanswered.
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(address)
        client = client_for(
            f"http://127.0.0.1:{address[1]}/cb", connect_timeout_seconds=0.1
        )
        try:
            with pytest.raises(NotSentError, match=r"no connection within 0\.1 s"):
                create(client)
        finally:
            for filler in fillers:
                filler.close()


def test_a_proxy_that_is_not_there_is_named(client_for, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{closed_port()}")
    monkeypatch.setenv("NO_PROXY", "")

    with pytest.raises(NotSentError, match="HTTP_PROXY"):
        create(client_for("http://alm.invalid/cb"))


def test_a_proxy_that_refuses_a_tunnel_was_sent_nothing(serve, client_for, monkeypatch):
    proxy = serve((407, b""))
    monkeypatch.setenv("HTTPS_PROXY", proxy.url.removesuffix("/cb"))
    monkeypatch.setenv("NO_PROXY", "")

    with pytest.raises(NotSentError, match="the proxy did not let us through"):
        create(client_for("https://alm.invalid/cb"))


# TLS.


def test_an_untrusted_certificate_is_never_repeated(serve, client_for, certify):
    wire = serve(ITEM, tls=certify())
    client = client_for(wire.url)

    with pytest.raises(NotSentError, match="`verify`") as caught:
        create(client)

    assert caught.value.retry is Retry.NEVER
    assert client.requests_made == 1
    assert wire.requests == []


def test_a_trusted_bundle_makes_it_work(serve, client_for, certify):
    certificate = certify()
    wire = serve(ITEM, tls=certificate)

    assert create(client_for(wire.url, verify=str(certificate[0]))).id == 7


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_checks_can_be_switched_off(serve, client_for, certify, monkeypatch, tmp_path):
    """Also against a bundle in the environment, which the library prefers."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))
    wire = serve(ITEM, tls=certify())

    assert create(client_for(wire.url, verify=False)).id == 7


@pytest.mark.parametrize(
    ("host", "valid_days", "says"),
    [
        ("alm.example.com", 1, "another name"),
        ("10.0.0.1", 1, "another name"),
        ("127.0.0.1", -1, "expired"),
    ],
)
def test_what_is_wrong_with_a_certificate(
    serve, client_for, certify, host, valid_days, says
):
    certificate = certify(host, valid_days)
    wire = serve(ITEM, tls=certificate)

    with pytest.raises(NotSentError, match=says):
        create(client_for(wire.url, verify=str(certificate[0])))


def test_https_to_a_port_without_tls(serve, client_for):
    wire = serve(ITEM)

    with pytest.raises(NotSentError, match="does not speak TLS") as caught:
        create(client_for(wire.url.replace("http:", "https:")))

    assert caught.value.retry is Retry.NEVER


def test_http_to_a_port_with_tls(serve, client_for, certify):
    """The server hangs up in its handshake; we cannot know that it read nothing."""
    wire = serve(ITEM, tls=certify())

    with pytest.raises(OutcomeUnknownError):
        create(client_for(wire.url.replace("https:", "http:")))


@pytest.mark.parametrize("fault", [hang_up, reset, cut_short])
def test_tls_that_breaks_after_a_write_is_an_unknown_outcome(
    serve, client_for, certify, fault
):
    certificate = certify()
    wire = serve(fault, ITEM, tls=certificate)

    with pytest.raises(OutcomeUnknownError):
        create(client_for(wire.url, verify=str(certificate[0])))

    assert len(wire.requests) == 1


def test_a_broken_record_after_a_write_is_an_unknown_outcome(
    serve, client_for, certify
):
    """The same complaint of the TLS library as for a port without TLS."""

    def speak_plainly(handler):
        with socket.socket(fileno=os.dup(handler.connection.fileno())) as bare:
            bare.sendall(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")
        handler.close_connection = True

    certificate = certify()
    wire = serve(speak_plainly, ITEM, tls=certificate)

    with pytest.raises(OutcomeUnknownError):
        create(client_for(wire.url, verify=str(certificate[0])))

    assert len(wire.requests) == 1


def test_a_server_that_breaks_during_the_handshake_was_sent_nothing(client_for):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def refuse():
            for _ in range(4):
                connection, _ = server.accept()
                connection.recv(4096)
                connection.close()

        thread = threading.Thread(target=refuse)
        thread.start()
        client = client_for(f"https://127.0.0.1:{server.getsockname()[1]}/cb")
        with pytest.raises(NotSentError, match="while TLS was set up"):
            create(client)
        thread.join(10)

    assert client.requests_made == 4


def test_a_missing_bundle_is_a_wrong_setting(client_for, tmp_path):
    client = client_for("https://127.0.0.1:9/cb", verify=str(tmp_path / "none.pem"))

    with pytest.raises(ConfigurationError, match="certificates cannot be read"):
        create(client)


def test_a_bundle_without_certificates_is_named(serve, client_for, certify, tmp_path):
    garbage = tmp_path / "garbage.pem"
    garbage.write_text("this is no certificate")
    wire = serve(ITEM, tls=certify())

    with pytest.raises(NotSentError, match="holds no certificates"):
        create(client_for(wire.url, verify=str(garbage)))


# What we send.


def test_basic_login_is_written_in_utf_8(serve, client_for):
    wire = serve(ITEM)

    get(client_for(wire.url, login="jörg", password="Łódź€"))

    kind, _, pair = wire.requests[0].headers["Authorization"].partition(" ")
    assert kind == "Basic"
    assert base64.b64decode(pair).decode() == "jörg:Łódź€"


def test_a_token_is_sent_as_bearer(serve, client_for):
    wire = serve(ITEM)

    get(client_for(wire.url, token="eyJh.bGci.OiJI"))

    assert wire.requests[0].headers["Authorization"] == "Bearer eyJh.bGci.OiJI"


def test_a_netrc_file_is_not_asked(serve, client_for, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login other password other\n")
    monkeypatch.setenv("NETRC", str(netrc))
    wire = serve(ITEM)

    get(client_for(wire.url, token="mine"))

    assert wire.requests[0].headers["Authorization"] == "Bearer mine"


def test_every_request_says_who_we_are_and_wants_json(serve, client_for):
    wire = serve(ITEM)
    client = client_for(wire.url)

    get(client)
    create(client)

    for seen in wire.requests:
        assert seen.headers["Accept"] == "application/json"
        assert (
            seen.headers["User-Agent"] == f"airflow-provider-codebeamer/{__version__}"
        )
    assert wire.requests[1].headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("suffix", ["", "/", "/api", "/api/v3", "/api/v3/", "/rest"])
@pytest.mark.parametrize("context", ["", "/cb", "/tools/cb"])
def test_addresses_with_and_without_a_context_path(serve, client_for, context, suffix):
    wire = serve(ITEM)
    root = wire.url.removesuffix("/cb")

    get(client_for(f"{root}{context}{suffix}"))

    assert wire.paths == [f"{context}/api/v3/items/7"]


def test_a_redirect_is_not_followed(serve, client_for):
    thief = serve(ITEM)
    wire = serve((307, b"", {"Location": f"{thief.url}/api/v3/items/7"}))

    for call in (get, create):
        with pytest.raises(ConfigurationError, match="sends"):
            call(client_for(wire.url))

    assert thief.requests == []


def test_cookies_are_not_kept(serve, client_for):
    wire = serve((200, ITEM, {"Set-Cookie": "JSESSIONID=abc; Path=/"}), ITEM)
    client = client_for(wire.url)

    get(client)
    get(client)

    assert "Cookie" not in wire.requests[1].headers


# Connections.


def test_fifty_calls_need_one_connection(serve, client_for):
    wire = serve(ITEM)
    client = client_for(wire.url, requests_per_second=None, requests_per_minute=None)

    for _ in range(50):
        get(client)

    assert wire.accepted == 1
    assert client.requests_made == 50


def test_threads_never_open_more_connections_than_allowed(serve, client_for):
    def slowly(handler):
        time.sleep(0.01)
        body = b'{"id": 7}'
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    wire = serve(slowly)
    client = client_for(
        wire.url, connections=3, requests_per_second=None, requests_per_minute=None
    )
    threads = [
        threading.Thread(target=lambda: [get(client) for _ in range(5)])
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert wire.accepted == 3
    assert client.requests_made == len(wire.requests) == 40


# What is not what it should be.


@pytest.mark.parametrize(
    "answer",
    [
        (404, b"<html>Tomcat</html>", {"Content-Type": "text/html"}),
        (404, b""),
        (404, {"message": "There is nothing here"}),
    ],
)
def test_a_wrong_address_is_told_from_a_missing_thing(serve, client_for, answer):
    wire = serve(answer)

    for call in (get, create, lambda client: client.users.find_user("bob")):
        with pytest.raises(ConfigurationError, match="/cb"):
            call(client_for(wire.url))


@pytest.mark.parametrize("there", [(200, []), (401, {}), (403, {}), (500, {}), hang_up])
def test_a_missing_thing_is_told_from_a_wrong_address(serve, client_for, there):
    """The first answer is a 404: one more request tells what it means."""
    wire = serve((404, {"message": "no item"}), there, (404, {"message": "no item"}))
    client = client_for(wire.url)

    with pytest.raises(NotFoundError, match="no item"):
        get(client)

    assert wire.paths[1] == "/cb/api/v3/projects"
    assert len(wire.requests) == 2


def test_a_missing_thing_after_a_success_costs_one_request(serve, client_for):
    wire = serve(ITEM, (404, {"message": "no item"}))
    client = client_for(wire.url)
    get(client)

    with pytest.raises(NotFoundError):
        get(client)

    assert client.requests_made == 2


@pytest.mark.parametrize("path", ["", "/cb/cb", "/codebeamer"])
def test_a_wrong_context_path_is_named(emulator, client_for, path):
    url = emulator.url.removesuffix("/cb") + path

    with pytest.raises(ConfigurationError, match="/cb at its end"):
        client_for(url).users.find_user("generator")


def test_another_server_s_page_is_no_answer(serve, client_for):
    wire = serve((200, b"<html>Welcome to nginx</html>", {"Content-Type": "text/html"}))

    with pytest.raises(ContractError, match="Codebeamer REST API v3"):
        get(client_for(wire.url))


def test_a_refusal_of_everything_names_the_right_that_is_missing(serve, client_for):
    wire = serve((403, {"message": "Access denied"}))

    with pytest.raises(ForbiddenError, match="Rest / Remote API - Access"):
        get(client_for(wire.url))


def test_a_refusal_after_a_success_is_about_this_operation(serve, client_for):
    wire = serve(ITEM, (403, {"message": "Access denied"}))
    client = client_for(wire.url)
    get(client)

    with pytest.raises(ForbiddenError) as caught:
        get(client)

    assert "Rest / Remote API" not in str(caught.value)


# Secrets.

SECRETS = ("hunter2-hunter2", "tok-en-tok-en", "BODY-SECRET")


def everything(error):
    """All text that a reader of logs could get out of an error."""
    parts = [str(error), repr(error), repr(vars(error)), repr(error.__dict__)]
    parts += traceback.format_exception(error)
    seen, todo = set(), [error]
    while todo:
        found = todo.pop()
        if found is None or id(found) in seen:
            continue
        seen.add(id(found))
        parts.append(repr(vars(found)))
        todo += [found.__cause__, found.__context__]
    return "\n".join(parts)


@pytest.mark.parametrize("login", [{"password": SECRETS[0]}, {"token": SECRETS[1]}])
@pytest.mark.parametrize(
    "answer",
    [
        (401, {"message": "no"}),
        (403, b"BODY-SECRET"),
        (500, b"<html>BODY-SECRET</html>"),
        (200, b"BODY-SECRET"),
        (200, {"id": "BODY-SECRET"}),
        (302, b"", {"Location": "https://u:BODY-SECRET@elsewhere/?t=BODY-SECRET"}),
        hang_up,
        say_nonsense,
    ],
)
def test_no_error_or_log_holds_a_secret(serve, client_for, caplog, login, answer):
    caplog.set_level(logging.DEBUG)
    wire = serve(answer)
    client = client_for(wire.url, **({"login": "bot"} | login))

    for call in (get, create):
        with pytest.raises(CodebeamerError) as caught:
            call(client)
        text = everything(caught.value)
        pair = base64.b64encode(f"bot:{SECRETS[0]}".encode()).decode()
        for secret in (*SECRETS, pair):
            assert secret not in text
            assert secret not in caplog.text
    assert wire.requests
    assert not re.search("hunter2|tok-en", repr(client.settings) + str(client.settings))


def test_an_unreached_server_s_error_holds_no_secret(client_for):
    client = client_for(f"http://127.0.0.1:{closed_port()}/cb", password=SECRETS[0])

    with pytest.raises(NotSentError) as caught:
        get(client)

    assert caught.value.__context__ is None
    assert SECRETS[0] not in everything(caught.value)


def test_a_wrong_password_says_so(serve, client_for):
    wire = serve((401, {"message": "Bad credentials"}))

    with pytest.raises(UnauthorizedError, match="check login and password"):
        get(client_for(wire.url))

    assert len(wire.requests) == 1


THROTTLED = (429, {"retryAfterSecond": 20})


def test_before_is_asked_after_each_wait_and_right_before_each_try(
    serve, client_for, clock
):
    wire = serve(ITEM, THROTTLED, ITEM)
    client = client_for(wire.url, requests_per_second=1.0, requests_per_minute=None)
    get(client)
    asked = []

    def before():
        asked.append((clock.monotonic(), len(wire.requests)))

    client.items.create_item(TrackerId(1), NEW, before=before)

    assert asked == [(1.0, 1), (21.0, 2)]
    assert [seen.at_seconds for seen in wire.requests] == [0.0, 1.0, 21.0]


def test_what_before_raises_stops_a_write_that_waited(serve, client_for, clock):
    wire = serve(THROTTLED, ITEM)

    def before():
        if clock.monotonic() > 10:
            raise LookupError("lost")

    with pytest.raises(LookupError):
        client_for(wire.url).items.create_item(TrackerId(1), NEW, before=before)

    assert len(wire.requests) == 1


def refuse():
    raise LookupError("lost")


@pytest.mark.parametrize(
    "write",
    [
        lambda c: c.items.create_item(TrackerId(1), NEW, before=refuse),
        lambda c: c.items.update_many(
            [ItemPatch(ItemId(7), ())], atomic=True, before=refuse
        ),
        lambda c: c.items.delete_item(ItemId(7), before=refuse),
        lambda c: c.items.insert_child(None, TrackerId(1), ItemId(7), 0, before=refuse),
        lambda c: c.items.set_children(None, TrackerId(1), [], before=refuse),
        lambda c: c.trackers.set_role_permissions(
            TrackerId(1), RoleId(1), [], before=refuse
        ),
    ],
)
def test_every_write_under_a_lock_can_be_stopped_at_the_last_moment(
    serve, client_for, write
):
    wire = serve(ITEM)
    with pytest.raises(LookupError):
        write(client_for(wire.url))
    assert wire.requests == []
