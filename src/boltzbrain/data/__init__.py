"""What is known of a recording, as frozen tables and arrays, and their file; nothing prepares."""
