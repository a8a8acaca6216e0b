"""Tests of runs on several processes."""
