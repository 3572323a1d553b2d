"""Set-up, checks and benchmarks. Standard library only where a fresh machine runs them."""
