"""Models that predict a bin from the earlier ones of its segment: hidden states, history, both."""
