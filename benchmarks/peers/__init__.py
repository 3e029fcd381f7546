"""Alternative implementations, which the benchmarks compare with the indexer."""
