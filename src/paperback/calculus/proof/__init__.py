"""Is an expression zero for all sizes? The algebra of proofs.

    sums        the normal form: sums over lattice domains of products of atoms
    expand      an expression of the tree -> its normal form, with the laws of functions
    laws        powers, exponentials, logarithms
    functions   all other functions, through those and selectors
    positive    does a linear inequality follow from others, for all sizes?
    linear      affine equations, solved exactly over polynomials in sizes
    simplify    a summand in fewer letters
    match       are two summands the same up to a bijection of their letters?
    decide      does a sum of summands cancel?
    cells       are two blocks equal at given sizes? Written out, by cases of what comparisons say

Everything here is sufficient and never wrong: "not proved" says nothing.
"""
