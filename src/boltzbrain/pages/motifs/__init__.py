"""Motifs in words, as a section of a page, and on a page of their own."""
