"""Imported by export_checkpoint.py only, in the Python that has torch. Nothing of mbundle is there."""
