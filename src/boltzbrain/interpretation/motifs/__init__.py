"""Motifs: which neurons change together, when, and in which animals."""
