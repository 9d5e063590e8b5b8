"""Train, compare and use image-restoration networks, driven by YAML files."""

__version__ = "0.2.0"
