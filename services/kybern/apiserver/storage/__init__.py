"""What is in the store, kept in memory as encoded bytes, and the watches on it."""
