"""Deploys the Pulumi program to an emulator, either with boto3 in this process or with the Pulumi CLI."""
