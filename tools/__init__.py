"""Tools for maintainers: configuration tables, resource diagram, prose sample, and SBOM."""
