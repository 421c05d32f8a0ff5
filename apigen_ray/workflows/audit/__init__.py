"""What checks and judges catch: right rows are made wrong in known ways, and asked about."""
