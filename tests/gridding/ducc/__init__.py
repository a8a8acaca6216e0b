"""Tests of engine='ducc'."""
