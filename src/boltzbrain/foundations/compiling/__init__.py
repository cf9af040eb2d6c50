"""Where compiled loops are kept between processes."""
