"""The command line, one file a verb; everything heavy is imported inside the verb that needs it."""
