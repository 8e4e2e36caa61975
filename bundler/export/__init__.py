"""From a checkpoint to ONNX files: in another Python, kept in the cache, compared with torch."""
