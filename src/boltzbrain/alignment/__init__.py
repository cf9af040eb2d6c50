"""One set of assemblies in several animals: students of a teacher, scores that can fail."""
