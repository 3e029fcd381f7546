"""The test infrastructure: AWS emulators on a laptop, and deployers of the Pulumi program to them.

This file makes it a regular package, which an installed ``localstack-core`` cannot shadow.
"""
