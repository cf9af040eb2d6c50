"""What is recorded beside the neurons, series and trials, on the clock of the recording."""
