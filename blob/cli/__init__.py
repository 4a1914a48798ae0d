"""The command line `python -m blob`.

Read in this order: `main` (the group of commands), `serve` (the gateway as a process),
`_config` (what a configuration file may say).
"""

__all__ = ()
