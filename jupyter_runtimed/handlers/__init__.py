"""Tornado handlers: identify, authorize, look up, delegate."""
