"""Comparison with tclean: cases, drawn inputs, what images must agree in, and who is asked where they do not."""
