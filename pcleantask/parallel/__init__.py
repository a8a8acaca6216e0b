"""Imaging on many processes: teams of CASA processes, and the parts of the clean loop that run on them."""
