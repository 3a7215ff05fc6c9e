"""lmforge turns raw text into a language model in production; this library holds what knows no orchestrator or tracker."""

__version__ = "0.1.0"
