"""The package's version, as installed."""

from importlib import metadata

try:
    VERSION = metadata.version("pcleantask")
except metadata.PackageNotFoundError:  # a source tree that isn't installed
    VERSION = "0+unknown"
