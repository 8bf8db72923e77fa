"""Proofs: are two formulas equal, for all sizes? Pairs of formulas, counterexamples, verdicts.

The algebra that decides is in `calculus/proof`; here are the claims that people write, and what is said of them.
"""
