"""Couplings between regions, and what chance gives."""
