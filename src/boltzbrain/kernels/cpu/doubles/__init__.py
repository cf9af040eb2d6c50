"""Rectified units in float64, eight at a time; what comes out is what one at a time gives."""
