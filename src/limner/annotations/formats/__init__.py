"""File formats: one module each, pure; they turn documents into text and text into pages.

A format never touches the disk, the network or a clock. See ``docs/how-to/add-a-format.md``.
"""
