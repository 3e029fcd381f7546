"""Tools of the operators' command line that work on a deployed stack."""
