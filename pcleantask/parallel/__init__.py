"""Imaging on teams of workers: cubes in slabs of channels, continuum images by shares of the rows."""
