"""The failure matrix: every fault is real, and the result is that of an undisturbed run. See README.md."""
