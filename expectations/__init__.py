"""One suite a file: functions that return the promises of an artifact to its next reader as data."""
