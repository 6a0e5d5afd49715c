"""Benchmarks: what a person waits for, side by side with the peers that can be installed."""
