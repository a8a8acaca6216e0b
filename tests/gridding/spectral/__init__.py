"""Tests of channels and interpolation."""
