"""Measures the speed and the memory of this checkout; ``make bench``. See docs/performance.md."""
