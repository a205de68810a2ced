"""Make the bucket that ``LIMNER_STORAGE_URL`` names, where it is not there yet."""

import os
import sys
from urllib.parse import urlsplit

import s3fs

bucket = urlsplit(os.environ["LIMNER_STORAGE_URL"]).netloc
if not bucket:
    sys.exit("LIMNER_STORAGE_URL names no bucket: write it as s3://BUCKET/FOLDER.")
storage = s3fs.S3FileSystem()
if storage.exists(bucket):
    print(f"The bucket {bucket} is there already.")
else:
    storage.mkdir(bucket)
    print(f"The bucket {bucket} is made.")
