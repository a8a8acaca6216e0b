"""Tests of what is read of MeasurementSets."""
