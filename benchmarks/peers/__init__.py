"""What an engineer would otherwise write: deployed and measured beside the function."""
