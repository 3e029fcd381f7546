"""An AWS to test against on a laptop, and a way to deploy the same Pulumi program to it.

A real package, with this file, so that an installed ``localstack-core`` cannot shadow it.
"""
