"""Test infrastructure: starts AWS emulators on the developer's machine and deploys the Pulumi program to them.

This file makes the folder a regular package, so that an installed ``localstack-core`` cannot shadow it.
"""
