"""Builds an image of LocalStack, and what its functions run in, from Debian's, PyPI's and Maven's packages alone."""
