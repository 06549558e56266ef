"""The program: command line, window, scene and panels."""

__version__ = "0.1.0"
