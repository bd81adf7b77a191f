"""Legacy ServiceAccount tokens: Secrets filled, ended with their accounts, and the unused ones of old cleaned away."""
