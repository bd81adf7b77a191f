"""CronJob: Jobs made by the clock."""
