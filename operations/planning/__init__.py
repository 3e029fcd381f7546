"""Estimates the capacity and the cost of a stack before it is deployed. Nothing here calls AWS."""
