"""Rows of offsets: log Z of each by whatever way is affordable, and activity generated in time."""
