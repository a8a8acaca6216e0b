"""Tests of the images that engine='ducc' makes."""
