"""Stages whose output follows from their fields alone, and that meet the trouble a test has laid out for them."""
