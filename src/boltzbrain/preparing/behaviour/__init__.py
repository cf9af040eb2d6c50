"""Series and trials from a recording into bins, through joins and cuts, and back into tables."""
