"""The service-cidrs controller: a ServiceCIDR is ready, and stays while addresses of Services are in it."""
