"""What the servers answer: as a host in production should."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bundler.serve.answer import accepted
from bundler.serve.found import Text
from bundler.serve.networks import NETWORKS, Network
from bundler.serve.observe import Sent
from bundler.serve.run import Running
from bundler.serve.site import Options

from .cli import command, environment, run
from .served import CHUNK, get, make_dist, site


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served") / "dist"
    make_dist(folder)
    return folder


@pytest.fixture(scope="module")
def chunk(dist: Path) -> str:
    return make_dist(dist)


@pytest.fixture(scope="module")
def running(dist: Path) -> Iterator[Running]:
    with site(dist) as running:
        yield running


def test_each_file_has_its_type_and_may_be_kept_as_long_as_its_name_lasts(running: Running, chunk: str) -> None:
    immutable, revalidated = "public, max-age=31536000, immutable", "no-cache"
    expected = {
        f"/{chunk}": ("application/octet-stream", immutable),
        "/assets/it.q8-0123456789abcdef.onnx": ("application/octet-stream", immutable),
        "/assets/ort-wasm-simd-threaded-0123456789abcdef.wasm": ("application/wasm", immutable),
        "/models.js": ("text/javascript; charset=utf-8", revalidated),
        "/entries/it.js": ("text/javascript; charset=utf-8", revalidated),
        "/model-manifest.json": ("application/json", "no-store"),
    }
    for path, (kind, cache) in expected.items():
        got = get(running, path)
        assert (got.status, got.headers["content-type"], got.headers["cache-control"]) == (200, kind, cache), path
        assert got.headers["cross-origin-opener-policy"] == "same-origin"
        assert got.headers["cross-origin-embedder-policy"] == "require-corp"
        assert got.headers["cross-origin-resource-policy"] == "same-origin"
        assert got.headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in got.headers


@pytest.mark.parametrize("path", ["/nope", "/nope/", "/assets/", "/entries/other.js", "/assets/ffffffffffffffff.bin"])
def test_what_is_not_there_is_a_404_and_no_page(path: str, running: Running) -> None:
    got = get(running, path)
    assert (got.status, got.headers["content-type"]) == (404, "text/plain; charset=utf-8")
    assert got.headers["cache-control"] == "no-store"
    assert b"<" not in got.body


@pytest.mark.parametrize(
    ("wanted", "part", "place"),
    [
        ("bytes=0-9", CHUNK[:10], "0-9"),
        ("bytes=102390-", CHUNK[-10:], "102390-102399"),
        ("bytes=-10", CHUNK[-10:], "102390-102399"),
        ("bytes=100-999999", CHUNK[100:], "100-102399"),
    ],
)
def test_a_range_is_one_of_the_file_itself(wanted: str, part: bytes, place: str, running: Running, chunk: str) -> None:
    got = get(running, f"/{chunk}", Range=wanted, Accept_Encoding="br")
    assert (got.status, got.body) == (206, part)
    assert got.headers["content-range"] == f"bytes {place}/{len(CHUNK)}"
    assert "content-encoding" not in got.headers


def test_ranges_that_cannot_be_are_refused_or_ignored(running: Running, chunk: str) -> None:
    beyond = get(running, f"/{chunk}", Range=f"bytes={len(CHUNK)}-")
    assert (beyond.status, beyond.headers["content-range"]) == (416, f"bytes */{len(CHUNK)}")
    for odd in ("bytes=5-2", "lines=1-2", "bytes=a-b", "bytes="):
        assert get(running, f"/{chunk}", Range=odd).status in (200, 400)
    plain = get(running, f"/{chunk}")
    assert get(running, f"/{chunk}", Range="bytes=0-4", If_Range=plain.headers["etag"]).status == 206
    assert get(running, f"/{chunk}", Range="bytes=0-4", If_Range='"another"').body == CHUNK


@pytest.mark.parametrize(
    ("header", "coding", "body"),
    [
        ("gzip, deflate, br, zstd", "br", b"brotli twin"),
        ("zstd", "zstd", b"the longer zstd twin"),
        ("br;q=0, zstd;q=0.1", "zstd", b"the longer zstd twin"),
        ("gzip", None, CHUNK),
        ("", None, CHUNK),
        ("*", None, CHUNK),
    ],
)
def test_the_twin_that_the_client_takes(
    header: str, coding: str | None, body: bytes, running: Running, chunk: str
) -> None:
    got = get(running, f"/{chunk}", Accept_Encoding=header)
    assert (got.status, got.body, got.headers.get("content-encoding")) == (200, body, coding)
    assert got.headers["content-type"] == "application/octet-stream"
    assert got.headers["vary"] == "Accept-Encoding"


def test_an_unchanged_file_is_a_304_and_a_twin_is_another_file(running: Running, chunk: str, dist: Path) -> None:
    plain, twin = get(running, f"/{chunk}"), get(running, f"/{chunk}", Accept_Encoding="br")
    assert plain.headers["etag"] != twin.headers["etag"]
    for header in (plain.headers["etag"], f"W/{plain.headers['etag']}", f'"x", {plain.headers["etag"]}', "*"):
        got = get(running, f"/{chunk}", If_None_Match=header)
        assert (got.status, got.body, got.headers["cache-control"]) == (304, b"", plain.headers["cache-control"])
    assert get(running, f"/{chunk}", If_None_Match=twin.headers["etag"]).status == 200
    pointer = get(running, "/models.js")
    assert get(running, "/models.js", If_None_Match=pointer.headers["etag"]).status == 304
    before = (dist / "models.js").read_bytes()
    (dist / "models.js").write_bytes(before.replace(b"app", b"ppa"))  # the same size, perhaps the same second
    assert get(running, "/models.js", If_None_Match=pointer.headers["etag"]).status == 200
    (dist / "models.js").write_bytes(before)


def test_head_has_the_headers_of_get_and_no_body(running: Running, chunk: str) -> None:
    for path in (f"/{chunk}", "/models.js"):
        got, head = get(running, path), get(running, path, "HEAD")
        drop = {"date"}
        assert {k: v for k, v in head.headers.items() if k not in drop} == {
            k: v for k, v in got.headers.items() if k not in drop
        }
        assert (head.status, head.body) == (200, b"")


def test_the_app_is_the_nearest_folder_with_a_page(tmp_path: Path) -> None:
    (tmp_path / "public").mkdir()
    (tmp_path / "index.html").write_text("<h1>the app")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "main.js").write_text("hello")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.html").write_text("docs")
    make_dist(tmp_path / "public" / "models")
    with site(tmp_path / "public" / "models", Options(root=str(tmp_path))) as running:
        page = get(running, "/")
        assert (page.body, page.headers["content-type"]) == (b"<h1>the app", "text/html; charset=utf-8")
        assert page.headers["cache-control"] == "no-cache"
        assert get(running, "/src/main.js?x=1").body == b"hello"
        assert get(running, "/public/models/models.js").status == 200
        assert get(running, "/models.js").status == 404
        moved = get(running, "/docs")
        assert (moved.status, moved.headers["location"]) == (308, "/docs/")
        assert get(running, "/docs/").body == b"docs"
        assert get(running, "/src/").status == get(running, "/src").status == 404  # no listing
    with site(tmp_path / "public" / "models", Options(root=str(tmp_path / "public"))) as running:
        assert b"welcome.js" in get(running, "/").body


def test_pages_and_mounts_for_benchmarks(tmp_path: Path, dist: Path) -> None:
    (tmp_path / "ort").mkdir()
    (tmp_path / "ort" / "ort.wasm").write_bytes(b"\0asm")
    seen: list[Sent] = []
    options = Options(
        mounts={"/ort/": str(tmp_path / "ort")},
        pages={"/bench.html": Text(b"<p>bench", "text/html", "no-store")},
        observe=seen.append,
        isolated=False,
    )
    with site(dist, options) as running:
        assert get(running, "/ort/ort.wasm").headers["content-type"] == "application/wasm"
        page = get(running, "/bench.html")
        assert page.body == b"<p>bench"
        assert "cross-origin-embedder-policy" not in page.headers
        chunk = make_dist(dist)
        get(running, f"/{chunk}", Range="bytes=0-99")
        get(running, f"/{chunk}", Accept_Encoding="br")
    assert [(one.path, one.status, one.nbytes, one.encoding) for one in seen] == [
        ("/ort/ort.wasm", 200, 4, None),
        ("/bench.html", 200, 8, None),
        (f"/{chunk}", 206, 100, None),
        (f"/{chunk}", 200, 11, "br"),
    ]
    assert seen[2].range == "bytes=0-99"


def test_a_slow_network_takes_its_time(dist: Path) -> None:
    """Only a floor is measured: latency once, and every byte at the rate, however many ask at once."""
    import threading
    import time

    chunk = make_dist(dist)
    with site(dist, Options(throttle=Network(down=len(CHUNK) * 8 * 4, latency=0.1))) as running:
        began = time.monotonic()
        both = [threading.Thread(target=get, args=(running, f"/{chunk}")) for _ in range(2)]
        for thread in both:
            thread.start()
        for thread in both:
            thread.join()
        assert time.monotonic() - began >= 0.1 + 2 / 4
        assert get(running, f"/{chunk}").body == CHUNK


def test_accept_encoding() -> None:
    assert accepted("gzip, br;q=0.5 , ZSTD;q=1.0") == {"gzip", "br", "zstd"}
    assert accepted("br;q=0, zstd;q=nonsense, ,") == set()


def test_networks_are_what_the_docs_say() -> None:
    text = (Path(__file__).parent.parent / "docs" / "dev.md").read_text()
    for name, network in NETWORKS.items():
        assert f"| `{name}` | {network.down / 1e6:g} | {network.latency * 1e3:g} |" in text


def test_preview_says_where_takes_the_next_port_and_ends(tmp_path: Path) -> None:
    make_dist(tmp_path / "dist")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        strict = run(tmp_path, "preview", "--port", str(port), "--strict-port")
        assert (strict.status, "error[MB650]" in strict.stderr) == (2, True)
        arguments = command("preview", "--port", str(port), "--json", "--exit-with-stdin")
        with subprocess.Popen(
            arguments, cwd=tmp_path, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            assert process.stdout
            told = json.loads(process.stdout.readline())
            assert told["type"] == "listening"
            assert told["output"] == str(tmp_path / "dist")
            assert told["base"] == "/"
            assert int(told["url"].rsplit(":", 1)[1].rstrip("/")) > port
            assert process.stdin
            process.stdin.close()
            assert process.wait(30) == 0


def test_preview_ends_on_a_signal_and_needs_a_build(tmp_path: Path) -> None:
    none = run(tmp_path, "preview")
    assert (none.status, "error[MB652]" in none.stderr) == (2, True)
    make_dist(tmp_path / "dist")
    (tmp_path / "other").mkdir()
    wrong = run(tmp_path, "preview", "--app", "other")
    assert (wrong.status, "error[MB653]" in wrong.stderr) == (2, True)
    for number in (signal.SIGINT, signal.SIGTERM):
        with subprocess.Popen(
            command("preview", "--port", "0"), cwd=tmp_path, env=environment(), stderr=subprocess.PIPE
        ) as process:
            assert process.stderr
            assert b"ready" in process.stderr.readline()
            process.send_signal(number)
            assert process.wait(30) in (0, 130)
            assert b"Traceback" not in process.stderr.read()
