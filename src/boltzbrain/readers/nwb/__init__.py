"""Reader of NWB files, one file a part of them."""
