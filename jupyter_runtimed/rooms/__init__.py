"""One notebook's owner. Asynchronous; sees Jupyter, files and kernels only through rooms.ports."""
