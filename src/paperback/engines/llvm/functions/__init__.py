"""The elementary functions as vector code."""
