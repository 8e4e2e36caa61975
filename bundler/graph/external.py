"""Which external-data file a model may name, and which bytes of it: our own reader's policy.

A model is not trusted. A location is a relative path; the *real* path behind it must lie in the model's own
folder, the project root or a folder that the config allows, and be a regular file. Symbolic links are fine
while they end in such a place, which is how a Hugging Face cache is laid out; so are hard links, because a
name inside an allowed folder is the user's own doing. Offsets and lengths are compared with the file's size.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .faults import quote
from .model import Region

_NUMBER = re.compile(r"[0-9]{1,18}")
_IN_MEMORY = "_ORT_MEM_ADDR_"


class ExternalFault(Exception):
    """A reference that we do not follow: `code` of the catalogue, what is wrong, and a more exact fix if known."""

    def __init__(self, code: str, what: str, fix: str | None = None) -> None:
        super().__init__(what)
        self.code, self.what, self.fix = code, what, fix


class _File(NamedTuple):
    path: str
    size: int


@dataclass
class ExternalFiles:
    """Resolves locations for the model at `model` (a path as the user wrote it). `files`: real paths used so far."""

    model: str
    root: str
    allow: tuple[str, ...]
    files: list[str] = field(default_factory=list)
    _known: dict[str, _File] = field(default_factory=dict)

    def resolve(self, tensor: Any, need: int) -> Region:
        """The region that an external TensorProto of `need` bytes refers to. Raises ExternalFault."""
        entries = _entries(tensor)
        location = entries.get("location", "")
        if location not in self._known:
            self._known[location] = self._open(location)
        file = self._known[location]
        if file.path not in self.files:
            self.files.append(file.path)
        return _region(entries, location, file, need)

    def _open(self, location: str) -> _File:
        check_location(location)
        path = self._real_path(location)
        if not any(_inside(path, place) for place in self._places()):
            raise ExternalFault("MB253", f"{quote(location)} leads to {path}, which is outside the project")
        return _File(path, self._size(location, path))

    def _real_path(self, location: str) -> str:
        """Beside the model as it was named; failing that, beside the file that this name is a symbolic link to."""
        for folder in dict.fromkeys((_folder(self.model), _folder(os.path.realpath(self.model)))):
            try:
                return os.path.realpath(os.path.join(folder, location), strict=True)
            except OSError as error:
                if error.errno not in (errno.ENOENT, errno.ENOTDIR):
                    raise ExternalFault("MB258", f"cannot read {quote(location)}: {_reason(error)}") from error
        raise ExternalFault("MB252", f"its file {quote(location)} does not exist in {_folder(self.model)}")

    def _places(self) -> list[str]:
        folders = [_folder(self.model), _folder(os.path.realpath(self.model)), self.root, *self.allow]
        return [os.path.realpath(place) for place in (*folders, *_cache_blobs(_folder(self.model))) if place]

    def _size(self, location: str, path: str) -> int:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            code = "MB254" if error.errno in (errno.ENXIO, errno.ENODEV, errno.ELOOP) else "MB258"
            raise ExternalFault(code, f"cannot read {quote(location)}: {_reason(error)}") from error
        try:
            status = os.fstat(descriptor)
        finally:
            os.close(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ExternalFault("MB254", f"{quote(location)} is not a regular file")
        if os.path.samestat(status, os.stat(self.model)):
            raise ExternalFault("MB255", f"{quote(location)} is the model file itself")
        return status.st_size


def check_location(location: str) -> None:
    """Raises ExternalFault for a location that no ONNX runtime should follow, whatever is on the disk."""
    if not location.strip():
        raise ExternalFault("MB250", "it is stored externally, but names no file")
    shown = quote(location)
    if "\0" in location:
        raise ExternalFault("MB251", f"its location {shown} contains a NUL character")
    if _IN_MEMORY in location:
        raise ExternalFault("MB251", f"its location {shown} is an address in some process's memory")
    if location.startswith(("/", "\\", "~")) or re.match(r"[A-Za-z]:", location) or "://" in location:
        raise ExternalFault("MB251", f"its location {shown} is not a relative path")
    if ".." in re.split(r"[/\\]", location):
        raise ExternalFault("MB251", f'its location {shown} contains ".."')


def _entries(tensor: Any) -> dict[str, str]:
    """external_data as a dict; a key given twice is refused, because two readers would see two files."""
    entries: dict[str, str] = {}
    for entry in tensor.external_data:
        if not isinstance(entry.key, str) or not isinstance(entry.value, str):
            raise ExternalFault("MB221", "its external_data is not UTF-8 text")
        if entry.key in entries:
            raise ExternalFault("MB250", f"its external_data gives {quote(entry.key)} twice")
        entries[entry.key] = entry.value
    return entries


def _region(entries: dict[str, str], location: str, file: _File, need: int) -> Region:
    offset = _number(entries, "offset", 0)
    length = _number(entries, "length", need)
    if offset + max(length, need) > file.size and length >= need:
        raise ExternalFault(
            "MB256",
            f"it takes bytes {offset:,} to {offset + length:,} of {quote(location)}, which has {file.size:,}",
        )
    if length != need:
        raise ExternalFault("MB257", f"its shape and type need {need:,} bytes, but its reference says {length:,}")
    return Region(file.path, offset, need)


def _number(entries: dict[str, str], key: str, default: int) -> int:
    text = entries.get(key)
    if text is None:
        return default
    if not _NUMBER.fullmatch(text):
        raise ExternalFault("MB256", f"its {key} {quote(text)} is not a number of bytes")
    return int(text)


def _cache_blobs(folder: str) -> list[str]:
    """The blobs of the Hugging Face cache that `folder` is a snapshot in: models--x--y/snapshots/<revision>/…"""
    parts = os.path.abspath(folder).split(os.sep)
    for index in range(1, len(parts) - 1):
        if parts[index] == "snapshots" and parts[index - 1].startswith("models--"):
            return [os.sep.join([*parts[:index], "blobs"])]
    return []


def _folder(path: str) -> str:
    return os.path.dirname(os.path.abspath(path))


def _inside(path: str, folder: str) -> bool:
    return folder == os.sep or path == folder or path.startswith(folder + os.sep)


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
