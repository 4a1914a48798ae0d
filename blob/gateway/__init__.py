"""The S3 gateway in front of a blob driver."""
