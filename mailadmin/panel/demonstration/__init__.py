"""An invented household in a new installation, for `make demo` and for screenshots.

`household` has the people and what they sent, as data; `fill` plays it back through the same services that the daemon
and the panel use, at the times it is said to have happened. All names and addresses are reserved for examples (RFC
2606, 3849, 5737), so nothing that leaves a demonstration by accident reaches anybody.
"""
