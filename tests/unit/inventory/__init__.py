"""Tests of the comparison of an S3 Inventory with the rows of the table."""
