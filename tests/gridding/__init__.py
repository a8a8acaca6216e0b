"""Tests of gridding, against direct Fourier sums and against tclean."""
