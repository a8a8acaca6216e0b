"""Tests of cubes in slabs."""
