"""A table of clips and their frames or flow, from any source; emotions, groups, FACS codes."""
