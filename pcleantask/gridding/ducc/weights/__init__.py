"""Imaging weights, and the uv grid on which densities are counted."""
