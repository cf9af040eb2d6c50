"""One file a format of recordings: `read_<format>(path) -> Recording`."""
