"""From two frames (or stacks) to u, v, strain."""
