"""The worker's server: sockets (gateway), order of work (scheduler), device (executor).

The gateway knows the executor only by its interface, and nothing here knows how a face is made.
"""
