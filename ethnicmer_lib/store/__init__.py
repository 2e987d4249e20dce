"""What was computed is kept: sealed tables, arrays, recordings."""
