"""What files are made of (npy, zip, HDF5, zarr, MATLAB), read safely; no format of a lab."""
