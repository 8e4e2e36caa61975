"""What `prune` does: small weights made zero (magnitude), or whole heads, neurons and channels cut out of the graph."""
