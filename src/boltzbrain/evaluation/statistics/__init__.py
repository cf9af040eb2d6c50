"""Statistics of generated activity beside the recording's."""
