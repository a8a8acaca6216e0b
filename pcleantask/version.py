"""The package's version, as installed."""

from importlib import metadata

try:
    __version__ = metadata.version("pcleantask")
except metadata.PackageNotFoundError:  # a source tree that isn't installed
    __version__ = "0+unknown"
