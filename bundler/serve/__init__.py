"""The servers: `preview` (an output folder as production serves it) and `serve` (the same with a live channel)."""
