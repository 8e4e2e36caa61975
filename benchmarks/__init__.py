"""Measurements that back what the documentation says. Each is run as `python -m benchmarks.<name>`."""
