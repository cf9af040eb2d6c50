"""Every verdict and every threshold of one; nothing else judges."""
