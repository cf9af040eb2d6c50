"""Timings against bare products, eager PyTorch and other packages: docs/performance.md."""
