"""From finished pieces to a folder that is, at every moment, one complete build."""
