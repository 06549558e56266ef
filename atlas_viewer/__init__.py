"""The program: command line, window, scene, panels."""

__version__ = "0.1.0"
