"""What users ask for: derivatives of functions, by forward and reverse mode."""
