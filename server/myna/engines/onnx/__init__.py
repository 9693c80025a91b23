"""ONNX networks as values: read, taken apart, drawn anew and written, without the library.

A tensor and a node are parts of a network (`graph`); `drawing` puts others in the place of
operators. `blocks`, `convolutions` and `transposes` have a network make what it made in less time,
and each say by what.
"""
