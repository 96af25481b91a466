"""Files in object stores, s3://, gs:// and minio://: where they are, how they are asked for, and trees of them."""
