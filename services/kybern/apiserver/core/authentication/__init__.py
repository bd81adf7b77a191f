"""Authentication as decisions: what a bootstrap token's Secret says, whom the claims of a JWT name."""
