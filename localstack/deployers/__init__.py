"""Deploys the Pulumi program to an emulator: in process with boto3, or with Pulumi's own CLI."""
