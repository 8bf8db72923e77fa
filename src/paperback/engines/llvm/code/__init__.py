"""From work to textual LLVM IR: loop nests, register tiles, one function for each task."""
