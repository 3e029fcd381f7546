"""Uploads real files to an emulated AWS and shows their rows: `python -m localstack.showcase.demo`."""
