"""From evidence to a verdict and a model card; pure, so that a verdict can be derived again from stored evidence."""
