"""Checks of input, stable numerics, moments, random numbers and files: what every floor uses."""
