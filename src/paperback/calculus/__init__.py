"""Tree to tree: differentiation, elimination of deltas, guards, known values, and the exact evaluator."""
