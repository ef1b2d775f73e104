"""Plans and runs steps: protocols and logic, no I/O of its own.

The engine knows no system. Everything that reads a clock, a disk, a terminal or a network is
injected, so that a seeded simulation, in which one thread runs at a time, can replay any crash.
"""
