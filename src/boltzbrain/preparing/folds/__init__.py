"""Which bins train, which choose and which score; then the neurons worth modelling."""
