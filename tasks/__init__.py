"""Prefect tasks, one file a stage: read artifacts, call one pure function, stage, publish, log."""
