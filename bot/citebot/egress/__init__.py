"""Requests to other servers: which addresses, how fast, how often again. Sources reach the network through it only."""
