"""The pure core: values in, values out. No clock, no event loop, no files, no web server, no kernel."""
