"""Prefect flows, each a table of contents, and the command line."""
