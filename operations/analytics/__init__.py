"""Creates reports and runs SQL queries over the rows of the stack's DynamoDB table."""
