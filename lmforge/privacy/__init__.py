"""What must not be learned from a text: personal data is masked, secrets keep a document out."""
