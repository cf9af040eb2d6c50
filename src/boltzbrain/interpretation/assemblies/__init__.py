"""Assemblies: who belongs to which, where they lie, and whether chance gives the like."""
