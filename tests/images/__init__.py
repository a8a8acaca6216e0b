"""Tests of images on the disk."""
