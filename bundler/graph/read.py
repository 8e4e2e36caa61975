"""From a path to a Model: the front door that every model file goes through.

sniff the first bytes -> scan the graph out of the mapped file -> settle each tensor -> walk the structure ->
normalise -> opset and IR version -> freeze. Runs in a child process; reads no weight that can stay where it is.
"""

from __future__ import annotations

import mmap
import os
from dataclasses import dataclass
from typing import Any

from ..catalogue import problem
from ..config.schema import BuildConfig, EntrySpec
from ..errors import InputError
from .convert import convert
from .external import ExternalFiles
from .faults import Faults
from .freeze import freeze
from .functions import check_functions
from .model import Model, Region
from .normalise import normalise
from .opsets import check_header, unalias
from .payloads import Payloads
from .scan import Scan, diagnose, scan
from .signature import check_ports
from .sniff import sniff
from .tensors import Settler, check_name
from .visit import tensors
from .walk import Walk
from .wire import WireFault

_WIRE_CODES = {"truncated": "MB208", "corrupt": "MB209", "deep": "MB210", "big": "MB211"}


@dataclass(frozen=True, slots=True)
class ReadPolicy:
    """What a model may name and need. `root`, `allow`: absolute folders that external data may lie in, besides the
    model's own. `scratch`: folder for tensors whose bytes must be rewritten; it must outlive the Model.
    `external_ops`: "domain::Op", "domain::*" or "*"."""

    root: str
    scratch: str
    allow: tuple[str, ...] = ()
    external_ops: tuple[str, ...] = ()
    max_opset: int = 22
    max_ir: int = 10

    @classmethod
    def of(cls, config: BuildConfig, entry: EntrySpec, scratch: str) -> ReadPolicy:
        """As the config says for the source of one entry."""
        output = config.output
        limits = (output.max_opset, output.max_ir_version)
        return cls(config.root, scratch, entry.allow_external, entry.external_ops, *limits)


@dataclass(frozen=True, slots=True)
class ReadResult:
    """`files`: real paths of everything that was read, the model first. `notes`: one line for each thing mended."""

    model: Model
    files: tuple[str, ...]
    notes: tuple[str, ...]


def read_model(path: str, policy: ReadPolicy) -> ReadResult:
    """Reads the ONNX file at `path`. Raises InputError with everything that is wrong at the stage that found it."""
    sniff(path)
    faults, notes = Faults(path), list[str]()
    proto, payloads = _parse(path, policy, faults)
    external = ExternalFiles(path, policy.root, policy.allow)
    _settle(proto, Settler(payloads, external, faults))
    _walk(proto, policy, faults, notes)
    proto = normalise(proto, payloads, faults, notes)
    faults.check()
    proto = convert(proto, policy.max_opset, policy.max_ir, faults, notes)
    faults.check()
    files = dict.fromkeys((os.path.realpath(path), *external.files))
    return ReadResult(freeze(proto, payloads), tuple(files), tuple(notes))


def read_result(path: str, scratch: str, *, max_opset: int = 22, max_ir: int = 10) -> Model:
    """The Model of a file that a library wrote into its private folder: external data only from there."""
    folder = os.path.dirname(os.path.abspath(path))
    policy = ReadPolicy(folder, scratch, external_ops=("*",), max_opset=max_opset, max_ir=max_ir)
    return read_model(path, policy).model


def _parse(path: str, policy: ReadPolicy, faults: Faults) -> tuple[Any, Payloads]:
    """The ModelProto without its weights, and where those are."""
    real = os.path.realpath(path)
    with open(path, "rb") as file:
        view = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))  # unmapped with its last slice
    found = _scan(view, faults)
    proto = _parse_skeleton(view, found, faults)
    payloads = Payloads(found.token, policy.scratch)
    payloads.regions += [Region(real, span.offset, span.length) for span in found.spans]
    if not proto.HasField("graph"):  # any other protobuf file parses as an empty model
        raise InputError(problem("MB212", "this is protobuf, but there is no graph in it", file=path))
    return proto, payloads


def _scan(view: memoryview, faults: Faults) -> Scan:
    try:
        return scan(view)
    except WireFault as fault:
        raise InputError(_wire_problem(fault, len(view), faults.file)) from fault


def _parse_skeleton(view: memoryview, found: Scan, faults: Faults) -> Any:
    import onnx
    from google.protobuf.message import DecodeError

    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(found.skeleton)
    except DecodeError as error:
        try:
            diagnose(view)
        except WireFault as fault:
            raise InputError(_wire_problem(fault, len(view), faults.file)) from fault
        what = f"the file ({len(view):,} bytes) is not protobuf: {error}"
        raise InputError(problem("MB209", what, file=faults.file)) from error
    return proto


def _wire_problem(fault: WireFault, size: int, file: str) -> Any:
    return problem(_WIRE_CODES[fault.kind], f"{fault.what} (the file has {size:,} bytes)", file=file)


def _settle(proto: Any, settler: Settler) -> None:
    for site in tensors(proto):
        check_name(site, settler.faults)
        settler.settle(site)
    settler.faults.check()


def _walk(proto: Any, policy: ReadPolicy, faults: Faults, notes: list[str]) -> None:
    import onnx

    unalias(proto)
    check_header(proto, int(onnx.IR_VERSION), faults)
    faults.check()
    walk = Walk(faults, policy.external_ops)
    walk.model(proto)
    check_ports(proto, faults)
    faults.check()
    notes += walk.notes
    check_functions(proto, faults)
    faults.check()
