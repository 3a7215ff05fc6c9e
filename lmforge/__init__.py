"""lmforge turns raw text into a language model in production; this library knows no orchestrator or tracker."""

__version__ = "0.1.0"
