"""What the runtime keeps in the browser, looked at and damaged from outside."""

from __future__ import annotations

from collections.abc import Sequence

from playwright.sync_api import Page

HELPERS = """
const keyOf = (sha256) => `${location.origin}/.mbundle/${sha256}`;
const stored = async (sha256) => (await caches.open("mbundle-1")).match(keyOf(sha256));
const settled = async (hashes) => {
  while (!(await Promise.all(hashes.map(stored))).every(Boolean)) await new Promise((done) => setTimeout(done, 20));
};
const damage = async (sha256, bytes) => {
  const headers = { "content-length": `${bytes}` };
  await (await caches.open("mbundle-1")).put(keyOf(sha256), new Response(new Uint8Array(bytes), { headers }));
};
"""
FILES = """async () => {
  const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle("mbundle-1").catch(() => undefined);
  const files = [];
  for await (const handle of folder?.values() ?? []) {
    const file = await handle.getFile().catch(() => undefined); // it has just got its name
    if (file) files.push([file.name, file.size]);
  }
  return files.sort();
}"""
"""Name and size of each file in the origin's private file system."""


def settle(page: Page, hashes: Sequence[str]) -> None:
    """Waits until these files are in the store; storing runs behind the session."""
    page.evaluate(f"async (hashes) => {{ {HELPERS} await settled(hashes); }}", hashes)
