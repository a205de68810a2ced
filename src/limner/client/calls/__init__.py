"""The requests that a client can make: one module a subject, nothing but pure functions."""
