"""The worked example, live: a server, a proxy, a watcher and their traffic on this machine, with a story to tell."""
