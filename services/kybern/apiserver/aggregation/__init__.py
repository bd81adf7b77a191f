"""API aggregation: APIServices, the extension API servers behind them, and the way to the endpoints of Services."""
