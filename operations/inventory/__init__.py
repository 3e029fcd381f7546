"""Reads S3 Inventory, and compares it with the rows of the table."""
