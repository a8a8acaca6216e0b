"""Channels of data and channels of images, and interpolation between them: arrays only, no CASA."""
