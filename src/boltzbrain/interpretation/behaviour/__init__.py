"""What assemblies and neurons do: their tuning to trials and series, and what they tell of them."""
