"""Tests of imaging weights."""
