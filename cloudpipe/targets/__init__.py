"""The stores a pipe can upload to: `_s3client`, `_s3options`, `_s3errors` make `s3`."""

from .s3 import S3Target

__all__ = ("S3Target",)
