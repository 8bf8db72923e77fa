"""Other forms of a backward, made into a forward and a backward over arrays; a library is loaded when it is asked."""
