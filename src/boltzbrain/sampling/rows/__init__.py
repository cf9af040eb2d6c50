"""log Z of every row of offsets: exactly, all rows annealed, or a reference and a few of them."""
