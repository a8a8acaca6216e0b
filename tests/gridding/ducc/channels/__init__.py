"""Tests of the visibilities of image channels."""
