"""Labelled traffic, detection quality, backtests and benchmarks."""
