"""Estimates the capacity and the cost of a stack before its deployment. Does not call AWS."""
