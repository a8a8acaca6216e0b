"""Tests of the clean loop and its parts."""
