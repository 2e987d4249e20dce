"""Classic+NL-fast, the optical flow of the released code, written anew."""
