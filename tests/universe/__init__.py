"""A small world of stages for planning: the names that the sweep files of tests/data mention, no work."""
