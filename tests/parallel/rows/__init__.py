"""Tests of continuum images by rows."""
