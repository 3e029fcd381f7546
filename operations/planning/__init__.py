"""What a stack will carry and cost, before it is deployed. Nothing here calls AWS."""
