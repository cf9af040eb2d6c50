"""What gives every bin an offset of the fields: the past, the place in the trial, the epoch."""
