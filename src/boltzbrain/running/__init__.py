"""What people call: the Python interface, the command line and the demo."""
