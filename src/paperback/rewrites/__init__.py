"""Exact identities applied to models, each with a certificate.

    rewrite(model, "tanh_from_sigmoid")     the new model and its Certificate
    equivalent(a, b)                        are two models one function?
"""
