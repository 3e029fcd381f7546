"""What the project's parts cost: run by hand, never in a test, since a clock in a test is a test of the machine."""
