"""Demo that uploads files to an AWS emulator and prints their rows: `python -m localstack.showcase.demo`."""
