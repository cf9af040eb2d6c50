"""Recordings made of arrays and spike times in memory: the package's own door for Python."""
