"""The command line ``photorig``: one module a command, all of them thin."""
