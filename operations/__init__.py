"""What an operator runs against a deployed stack: `python -m operations audit|backfill|redrive`."""
