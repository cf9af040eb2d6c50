"""The model beside the baselines, on the same bins and by the same scores."""
