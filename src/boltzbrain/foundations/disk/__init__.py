"""What is written: files that are whole or absent, folders with one writer, tables in HDF5."""
