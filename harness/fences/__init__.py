"""What the kernel keeps from a process that runs foreign code: files, network, other processes, the machine's memory.

`enclosure.shut_in` puts up all fences in a child process, after it has loaded what it trusts and before it runs what it
doesn't; `watch.Watch` is the parent's side: what no limit of the kernel counts is polled. `enclosure.available` says
what this machine has. Everything here is of the standard library alone, because a bare child imports it. What is
promised by all this, and what is not, says SECURITY.md.
"""
