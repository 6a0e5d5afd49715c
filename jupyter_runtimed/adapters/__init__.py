"""Asynchronous I/O: contents manager, kernels, blobs and logs, each behind a port of rooms.ports."""
