"""Every verdict on a result, and in `thresholds` every threshold of one; nothing else judges."""
