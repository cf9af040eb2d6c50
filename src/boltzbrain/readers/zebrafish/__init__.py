"""Reader of the zebrafish recordings of van der Plas et al. 2023, one file a part of them."""
