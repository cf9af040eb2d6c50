"""The loops written in Triton for GPUs; each has its slow twin in `kernels.reference`."""
