"""Builds again whenever something changes that the last build depended on."""
