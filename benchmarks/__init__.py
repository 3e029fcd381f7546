"""Benchmarks of speed, memory and size. They are not tests, because the times depend on the machine."""
