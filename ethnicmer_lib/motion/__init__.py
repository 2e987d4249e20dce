"""Motion from onset to apex: optical flow, optical strain and the optical flow image (Eqs 5-7)."""
