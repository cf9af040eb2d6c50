"""Many trainings, one chosen on validation: points, folder, one run, choice, page."""
