"""Ladders on the CPU: chains on all rungs swept in one call, and weighed between neighbours."""
