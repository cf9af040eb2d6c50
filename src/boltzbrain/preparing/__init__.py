"""From a recording to the activity that a model sees; nothing here knows models."""
