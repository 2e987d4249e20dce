"""What the paper prints and claims, what its release does, and the rules that give verdicts."""
