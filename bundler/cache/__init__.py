"""What a build may skip: a content-addressed store of step results, digests of unchanged files, the no-change check.

Nothing in here can fail a build: a cache that is damaged, full, read-only or gone costs time and one warning.
"""
