"""What changed between two runs, and how much that means."""
