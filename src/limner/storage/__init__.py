"""What is kept: the database, behind repositories that return domain objects, and the blob store.

SQL lives here alone.
"""
