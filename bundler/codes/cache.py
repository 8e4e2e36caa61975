"""Diagnostics of the part `cache`; joined in `bundler.catalogue`."""

from __future__ import annotations

from ._diagnostic import Diagnostic

CACHE: dict[str, Diagnostic] = {
    "MB450": Diagnostic(
        "The cache folder cannot be written",
        "The build goes on and its result is right, but the next build starts from nothing.",
        "Give this user the right to write there, or choose another folder with --cache-dir or MBUNDLE_CACHE_DIR.",
    ),
    "MB451": Diagnostic(
        "The disk is full: the cache takes nothing new",
        "The build goes on without keeping its steps, so the next build repeats them.",
        "Free some space; `mbundle cache gc` or `mbundle cache clear` gives back what the cache holds.",
    ),
    "MB452": Diagnostic(
        "A cache entry was damaged",
        "Its content does not match its checksum, so it was removed and its step runs again. A disk that does this "
        "often is failing, or another program writes into the cache.",
        "Nothing to do. If it happens again, run `mbundle cache clear` and check the disk.",
    ),
    "MB453": Diagnostic(
        "The cache knows nothing of this entry",
        "`mbundle cache why` compares the last build of an entry with earlier ones, and there is no such build.",
        "Build the entry first, and name it as the config does: `mbundle cache why <entry>` or `<entry>/<variant>`.",
    ),
    "MB454": Diagnostic(
        "The cache is in use",
        "A build that runs now reads from it; what that build may need was kept.",
        "Run `mbundle cache clear` again when the build is done.",
    ),
}
