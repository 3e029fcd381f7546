"""Builds Docker images of LocalStack and of its Lambda runtime from packages of Debian, PyPI and Maven only."""
