"""The regression on the past in hidden states: what a round of the HMM-GLM climbs by."""
