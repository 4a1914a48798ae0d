"""The stores a pipe can upload to: `s3` (of `_s3client`, `_s3options`, `_s3errors`)."""

from .s3 import S3Target

__all__ = ("S3Target",)
