"""The command line: `paperback train | evaluate | predict | summary | derive`."""
