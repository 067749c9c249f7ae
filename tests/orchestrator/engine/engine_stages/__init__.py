"""Stages that do next to nothing, or go wrong in one way each."""
