"""Reads an S3 Inventory, and compares its object versions with the rows of the DynamoDB table."""
