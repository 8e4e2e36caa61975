"""Size, latency and accuracy of all that an entry could ship as: its variants, its source, and what auto tried."""

from __future__ import annotations

from typing import Any

from .pareto import front

AXES = ("bytes", "latencyMs", "accuracy")
PLANES = {
    "all": AXES,
    "bytes-accuracy": (AXES[0], AXES[2]),
    "bytes-latencyMs": AXES[:2],
    "latencyMs-accuracy": AXES[1:],
}


def pictures(entry: dict[str, Any], conditions: list[str]) -> list[dict[str, Any]]:
    """[{"on", "points", "fronts"}], one for each of what latencies were measured on; "" where none was.

    fronts[plane] are indices of points that nothing of the plane beats; trials stand apart."""
    return [_picture(entry, condition) for condition in conditions or [""]]


def _picture(entry: dict[str, Any], condition: str) -> dict[str, Any]:
    points = [_variant(one, condition) for one in entry["variants"]]
    source = entry["source"]
    if source["bytes"]:
        latency = _latency(source, condition)
        points.append(_point("source", "source", source["bytes"], latency, 1.0 if _comparable(points) else None))
    tried = [
        _point(f"{one['name']}: auto, trial {number}", "trial", trial["bytes"], None, trial["metric"])
        for one in entry["variants"]
        for number, trial in enumerate(one["trials"], 1)
    ]
    fronts = {plane: front([_costs(point, axes) for point in points]) for plane, axes in PLANES.items()}
    return {"on": condition, "points": points + tried, "fronts": fronts}


def _variant(variant: dict[str, Any], condition: str) -> dict[str, Any]:
    latency = _latency(variant, condition)
    return _point(variant["name"], "variant", variant["bytes"], latency, variant["accuracy"]["value"])


def _latency(one: dict[str, Any], condition: str) -> float | None:
    found = (row["figures"].get("latencyMs") for row in one["benches"] if row["on"] == condition)
    return next(found, None)


def _comparable(points: list[dict[str, Any]]) -> bool:
    """The source agrees with itself: that is 1 on every metric whose figures are at most 1."""
    known = [point["accuracy"] for point in points if point["accuracy"] is not None]
    return bool(known) and max(known) <= 1


def _point(name: str, kind: str, nbytes: float, latency: float | None, accuracy: float | None) -> dict[str, Any]:
    return {"name": name, "kind": kind, "bytes": nbytes, "latencyMs": latency, "accuracy": accuracy}


def _costs(point: dict[str, Any], axes: tuple[str, ...]) -> list[float | None]:
    """Less is better in each."""
    found = [point[axis] for axis in axes]
    return [
        -value if axis == "accuracy" and value is not None else value for axis, value in zip(axes, found, strict=True)
    ]
