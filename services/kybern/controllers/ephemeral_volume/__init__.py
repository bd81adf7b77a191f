"""The ephemeral-volume controller: claims for the volumes that pods describe themselves."""
