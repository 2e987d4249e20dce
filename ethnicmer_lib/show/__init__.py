"""Tables and figures that carry their source."""
