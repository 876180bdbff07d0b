"""Benchmarks: each figure a ratio to something that is measured in the same run under the same settings."""
