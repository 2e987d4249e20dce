"""The four networks, trained fold by fold anywhere, their held-out predictions, probes and maps."""
