"""What several controllers decide alike: pods, owners, expectations."""
