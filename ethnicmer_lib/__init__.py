"""An executable, falsifiable reproduction of *Is Micro-expression Ethnic Leaning?* (ICMEW 2025)."""

__version__ = "0.1.0"
