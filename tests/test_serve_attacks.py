"""What strangers send to the servers: nothing leaks, and the server answers the next one."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from http.client import RemoteDisconnected
from pathlib import Path

import pytest

from bundler.serve import protocol
from bundler.serve.devclient import DevClient
from bundler.serve.run import Running, serving
from bundler.serve.site import Options, Site

from .attacks import CROSS, HEAD, HOSTS, MALFORMED, PATHS, SECRETS
from .served import get, make_dist, origin, raw

SECRET = b"TOP-SECRET"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An app with secrets inside, outside, and behind links."""
    root = tmp_path_factory.mktemp("attacked")
    app = root / "app"
    make_dist(app / "public/models")
    (app / "index.html").write_text("fine")
    (root / "app-private").mkdir()
    for name in [*SECRETS, "../outside.txt", "../app-private/x.txt"]:
        path = app / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(SECRET)
    (app / "node_modules/pkg/ok.mjs").write_text("export {}")
    links = {"link.txt": "../outside.txt", "linked": "..", "innocent.txt": ".env", "config.txt": "model.config.py"}
    for name, target in links.items():
        (app / name).symlink_to(target)
    (app / "good.txt").symlink_to("index.html")
    (app / "public/models/assets/0000000000000000.bin").symlink_to(app / ".env")
    (app / "public/models/runtime-00000000").symlink_to(app / "sub")
    (app / "loop").symlink_to("loop")
    os.mkfifo(app / "pipe.txt")
    return app


@pytest.fixture(scope="module")
def client() -> DevClient:
    return DevClient()


@pytest.fixture(scope="module")
def running(app: Path, client: DevClient) -> Iterator[Running]:
    options = Options(
        root=str(app), origins=["http://localhost:5173"], reserved=client.handlers, rewrite=client.rewrite
    )
    site = Site(str(app / "public/models"), options)
    client.base = site.base
    with serving(site) as running:
        yield running
        client.channel.close()


def request(target: str, host: str = "127.0.0.1", *more: str, method: str = "GET") -> bytes:
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *more, "Connection: close", "", ""]
    return "\r\n".join(lines).encode("latin-1")


def test_no_path_leaks(running: Running, client: DevClient) -> None:
    for path in PATHS:
        got = raw(running, request(path))
        status = int(got.split(b" ", 2)[1])
        assert status in (400, 403, 404), (path, got[:200])
        assert SECRET not in got, path
        assert b"root:" not in got
        assert client.token.encode() not in got
        assert b"X-Evil" not in got.split(b"\r\n\r\n")[0]
        assert b"Traceback" not in got
        alive(running)
    assert get(running, "/node_modules/pkg/ok.mjs").status == get(running, "/good.txt").status == 200


def alive(running: Running) -> None:
    assert get(running, "/index.html").body == b"fine"


def test_no_other_host_is_answered(running: Running) -> None:
    for host in HOSTS:
        got = raw(running, request("/index.html", host))
        fine = host.strip() == "localhost"  # a tab behind it is white space of the header
        assert (b"fine" in got) == fine, host
        assert fine or int(got.split(b" ", 2)[1]) in (400, 403), (host, got)
        alive(running)
    for host in ("localhost", "LOCALHOST:4177", "app.localhost:80", "[::1]:80", "127.0.0.1"):
        assert b"fine" in raw(running, request("/index.html", host)), host


def test_no_page_of_another_origin_reads(running: Running, client: DevClient) -> None:
    token = f"/__mbundle/events?token={client.token}"
    for headers in CROSS:
        for path in ("/index.html", "/__mbundle/session", token, "/public/models/models.js"):
            got = raw(running, request(path, "127.0.0.1", *headers))
            assert int(got.split(b" ", 2)[1]) in (400, 403), (headers, path, got)
            assert b"fine" not in got
            assert client.token.encode() not in got
            assert b"access-control-allow-origin" not in got.lower()
        alive(running)
    tab = ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"]
    assert b"fine" in raw(running, request("/index.html", "127.0.0.1", *tab))  # a person who follows a link
    assert client.token.encode() not in raw(running, request("/__mbundle/session", "127.0.0.1", *tab))


def test_the_origin_that_was_named_may_read(running: Running) -> None:
    allowed = "http://localhost:5173"
    got = get(running, "/public/models/models.js", Origin=allowed, Sec_Fetch_Site="cross-site")
    assert (got.status, got.headers["access-control-allow-origin"]) == (200, allowed)
    assert got.headers["cross-origin-resource-policy"] == "cross-origin"
    assert "Origin" in got.headers["vary"]
    ask = get(running, "/x", "OPTIONS", Origin=allowed, Access_Control_Request_Method="GET")
    assert (ask.status, "Range" in ask.headers["access-control-allow-headers"]) == (204, True)
    own = get(running, "/index.html", Origin=origin(running), Sec_Fetch_Site="same-origin")
    assert (own.body, "access-control-allow-origin" in own.headers) == (b"fine", False)


def test_nothing_malformed_ends_it(running: Running) -> None:
    for text in MALFORMED:
        got = raw(running, text.encode("latin-1"), 0.3)
        assert SECRET not in got
        assert b"Traceback" not in got
        if got:
            assert got.startswith(b"HTTP/1.1 "), (text[:80], got[:80])
            assert not got.startswith(b"HTTP/1.1 5"), (text[:80], got[:80])
        alive(running)


def test_heads_that_drip_are_cut_off(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also the second one of a connection, and many at a time; those who are in time are answered meanwhile."""
    monkeypatch.setattr(protocol, "_HEAD_SECONDS", 0.5)
    slow = [socket.create_connection(("127.0.0.1", running.port), timeout=20) for _ in range(50)]
    slow[0].sendall((HEAD + "\r\n").encode())
    assert slow[0].recv(65536).startswith(b"HTTP/1.1 200")
    for connection in slow:
        connection.sendall(b"GET / HT")
    alive(running)
    for connection in slow:
        try:
            while connection.recv(65536):
                pass
        except ConnectionResetError:
            pass
        connection.close()
    alive(running)


def test_too_many_connections_are_refused_and_the_rest_goes_on(running: Running) -> None:
    many = [socket.create_connection(("127.0.0.1", running.port), timeout=20) for _ in range(300)]
    for connection in many:
        connection.close()
    for _ in range(1000):  # until the server has seen that they are gone
        with contextlib.suppress(ConnectionError, RemoteDisconnected):
            alive(running)
            break
    alive(running)


def test_the_channel_needs_its_token_and_ends_with_the_page(running: Running, client: DevClient) -> None:
    with socket.create_connection(("127.0.0.1", running.port), timeout=20) as page:
        page.sendall(request(f"/__mbundle/events?token={client.token}"))
        got = b""
        while b"data: " not in got:
            got += page.recv(65536)
        assert b"text/event-stream" in got
        client.channel.publish({"type": "progress", "build": 1, "text": "</script>\n\ndata: {}"})
        while b"progress" not in got:
            got += page.recv(65536)
        assert b'"text":"</script>\\n\\ndata: {}"' in got  # a line feed ends no event
    alive(running)
