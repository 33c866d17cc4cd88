"""Sounds that lie elsewhere, read through fsspec: by their URLs, block by block, with a bounded cache on this disk.

A recording is a reference: URL, size, ETag (`reference.Reference`). `remote_file.RemoteFile` is one open to be read,
`block_cache` what was read of it, `fetching` the requests with their retries. fsspec is imported with the first
request.
"""
