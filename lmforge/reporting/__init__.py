"""Pages for people, written from plain dictionaries."""
