"""The loops compiled by numba for the CPU; each has its slow twin in `kernels.reference`."""
