"""Stages whose output follows from their fields, and that meet the trouble a test has laid out for them."""
