"""A trained model on a recording that it has not seen: hidden means and log-probability per bin."""
