"""From calcium traces to binary events."""
