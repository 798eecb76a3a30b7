"""Where frames are made: the device of this process, or many devices of many computers.

The gateway hands chunks of frames to an Executor (interface.py) and takes back what has ended.
Which ones there are stands in registry.py; each is one file and one line there.
"""
