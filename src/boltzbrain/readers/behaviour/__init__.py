"""Series and trials beside a recording: tables of text, objects in memory, and parts of files."""
