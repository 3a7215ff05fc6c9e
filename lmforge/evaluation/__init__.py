"""Scores of a trained model, their uncertainty and the floors that they must beat; nothing here decides a release."""
