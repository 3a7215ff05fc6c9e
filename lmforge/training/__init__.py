"""The training program: `python -m lmforge.training SPEC.json`, for pre-training and fine-tuning alike."""
