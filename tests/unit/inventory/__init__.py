"""Tests of S3 Inventory: its files, their columns, and the comparison with the rows."""
