"""The failure matrix: every fault is real, and what comes out is what comes out without any. See README.md."""
