"""Definitions only: architectures, the LightningModule and its objectives; no paths, no logging, no data reading."""
