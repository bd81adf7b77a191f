"""Pure part: options, the processes they mean, and what is shown."""
