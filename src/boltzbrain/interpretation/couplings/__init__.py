"""Effective couplings of any order: one engine for every kind of hidden unit."""
