"""Small programs that use a deployed stack: to read, to run, and to take apart."""
