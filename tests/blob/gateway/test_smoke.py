from __future__ import annotations


def test_boto3(boto3_client, bucket):
    boto3_client.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert boto3_client.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"


async def test_aio(s3_client, bucket):
    await s3_client.put_object(Bucket=bucket, Key="k", Body=b"x")
    r = await s3_client.get_object(Bucket=bucket, Key="k")
    async with r["Body"] as b:
        assert await b.read() == b"x"


def test_https(gateway_https, boto3_for, new_bucket):
    c = boto3_for(gateway_https)
    bucket = new_bucket(gateway_https)
    c.put_object(Bucket=bucket, Key="k", Body=b"x" * 100_000)
    assert c.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x" * 100_000
