"""From a recording to what a model sees: the central types, binning, splitting, atlases."""
