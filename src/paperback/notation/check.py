def check(solver, facts):
    return tuple(facts), list(solver.problems)
