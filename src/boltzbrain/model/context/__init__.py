"""What gives every bin an offset of the fields: past, place in the trial, epoch, assemblies."""
