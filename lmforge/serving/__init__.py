"""Answers from a released model directory."""
