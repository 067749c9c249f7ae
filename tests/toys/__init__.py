"""Stages that take no time, for tests of what stands around stages: reports, monitors, the command line."""
