"""Servers that speak like the providers of models, with their rules, limits and errors, and faults on demand."""
