"""Cuts an optimised model into stages, each with its own graph file, chunks and session: code splitting for graphs.

`nodes` reads the graph into data, `cuts` searches (pure), `types` asks onnxruntime what crosses, `extract` makes the
stages, `check` runs them one after the other against the whole. All that happens in children; `run` is the parent.
"""
