"""Maintainers' tools: the diagram of the resources and the SBOM of the archive."""
