"""The stores a pipe can upload to.

`_lost`, `_s3client`, `_s3options` and `_s3errors` make `s3`.
"""

from .s3 import S3Target

__all__ = ("S3Target",)
