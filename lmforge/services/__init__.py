"""The background services of a home: start, stop and describe them; each is a program of its own."""
