"""CustomResourceDefinitions: objects that make the API serve further resources while they exist."""
