"""From weights in source files to content-named chunks: label, cut, lay out (pure), then read, hash and write."""
