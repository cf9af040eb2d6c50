"""Figures for papers: every panel as a vector file with its data, and plates of several panels."""
