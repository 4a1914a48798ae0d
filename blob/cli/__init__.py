"""The command line `python -m blob`.

Read in this order: `_config` (what a configuration file may say), `_run` (the process
that serves), `serve` (its options), `main` (the group of commands).
"""

__all__ = ()
