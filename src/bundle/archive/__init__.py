"""Snapshots of environments in a store: a directory, or a bucket of S3, Google Cloud Storage or Azure.

Rules:

1. A snapshot is an independent, ordinary bundle and a small *point* beside it that describes it. An environment that
   has not changed gets a point only, which names the bundle of an earlier one.
2. Objects are created, never replaced, and there are no locks: several writers and ``forget`` can run at once.
   Writing: bundle, then point. Removing: point, another look, then bundle. Killed anywhere, that leaves at worst a
   bundle without a point, which is named by ``check`` and removed by ``forget`` a day later.
3. Time is the store's own (the directory's mtime, the object store's LastModified), never a client's clock.
"""
