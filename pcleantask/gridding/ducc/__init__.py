"""The second engine: visibilities read once, weighted in numpy, gridded by ducc0, in the order in which data flow."""
