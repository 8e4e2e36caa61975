"""Large models lie in the origin's private file system, also where a page may start no worker; small ones do not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fixtures.models import mlp

from . import dist
from .conftest import until, value
from .stored import FILES

pytestmark = [pytest.mark.browser, pytest.mark.slow]

MIB = 1 << 20
WIDTH = 3072  # two weights of 36 MiB each
RUN = """
  const model = await m.load("large", { worker: %s });
  const data = Float32Array.from({ length: arg }, (_, at) => Math.sin(at));
  const { y } = await model.run({ x: { data, dims: [1, arg] } });
  await model.dispose();
  return { y: Array.from(y.data), downloaded: model.info.downloaded, kept: model.info.fromCache };
"""
CACHED = """async () => {
  const responses = await (await caches.open("mbundle-1")).matchAll();
  return responses.map(({ headers }) => Number(headers.get("content-length"))).filter((bytes) => bytes > 300_000);
}"""
SPOIL = """async (name) => {
  const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle("mbundle-1");
  const writable = await (await folder.getFileHandle(name)).createWritable({ keepExistingData: true });
  await writable.write({ type: "write", position: 1000, data: new Uint8Array([1, 2, 3, 4]) });
  await writable.close();
}"""
LEFT = """async (name) => {
  const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle("mbundle-1");
  await folder.getFileHandle(name, { create: true });
}"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[list[Any]], int]:
    """An output folder with a large and a small model, the large one's chunks by name and size, and its bytes."""
    folder = tmp_path_factory.mktemp("files")
    manifest = dist.build(
        folder, {"large": {"fp32": mlp(width=WIDTH)}, "small": {"fp32": mlp(width=64)}}, max_size=8 * MIB
    )
    variant = manifest["entries"]["large"]["variants"][0]
    chunks = [chunk for file in variant["data"] for chunk in file["chunks"]]
    return (
        folder,
        sorted([chunk["sha256"], chunk["bytes"]] for chunk in chunks),
        sum(chunk["bytes"] for chunk in chunks),
    )


@pytest.fixture
def page(built: tuple[Path, Any, Any], site: Any, visit: Any) -> Any:
    site.mounts["/dist/"] = built[0]
    return visit()


@pytest.mark.parametrize("worker", ["false", "true"])
def test_large_models_are_files_of_the_origin(worker: str, page: Any, built: Any, visit: Any) -> None:
    _, chunks, nbytes = built
    first = value(page, RUN % worker, WIDTH)
    assert first["downloaded"] > nbytes
    until(page, f"async (chunks) => JSON.stringify(await ({FILES})()) === JSON.stringify(chunks)", chunks)
    assert page.evaluate(CACHED) == []
    info = value(page, "return m.cacheInfo()")
    assert (info["kind"], info["bytes"] > nbytes) == ("cache", True)

    # The other way of loading finds them, too; what is not what was built any more is fetched anew.
    again = value(visit(), RUN % {"true": "false", "false": "true"}[worker], WIDTH)
    assert (again["downloaded"], again["y"]) == (0, first["y"])
    name, size = chunks[0]
    page.evaluate(SPOIL, name)
    mended = value(visit(), RUN % worker, WIDTH)
    assert (mended["downloaded"], mended["y"]) == (size, first["y"])
    until(page, f"async (chunks) => JSON.stringify(await ({FILES})()) === JSON.stringify(chunks)", chunks)
    assert value(visit(), RUN % worker, WIDTH)["downloaded"] == 0

    value(page, "await m.clearCache()")
    assert page.evaluate(FILES) == []


def test_without_a_worker_they_lie_in_the_cache(page: Any, built: Any, site: Any, visit: Any) -> None:
    site.headers["Content-Security-Policy"] = "worker-src 'none'"
    page = visit()
    first = value(page, RUN % "false", WIDTH)
    until(page, f"async (bytes) => (await ({CACHED})()).reduce((a, b) => a + b, 0) === bytes", built[2])
    assert page.evaluate(FILES) == []
    assert value(visit(), RUN % "false", WIDTH) == {"y": first["y"], "downloaded": 0, "kept": first["downloaded"]}


def test_what_no_build_names_is_removed(page: Any, built: Any, site: Any, visit: Any, tmp_path: Path) -> None:
    _, chunks, _ = built
    value(page, "await m.preload('large')")
    until(page, f"async (chunks) => JSON.stringify(await ({FILES})()) === JSON.stringify(chunks)", chunks)
    page.evaluate(LEFT, "0" * 64)
    page.evaluate(LEFT, "0" * 64 + ".half")  # just being written by another tab
    value(page, "await m.load('small')")
    until(page, f"async (name) => !(await ({FILES})()).some(([each]) => each === name)", "0" * 64)
    assert len(page.evaluate(FILES)) == len(chunks) + 1
