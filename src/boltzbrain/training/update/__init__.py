"""One gradient step: first weights, moments, penalties, optimiser; the state between two steps."""
