r"""LaTeX in: a formula as it stands in a paper, read into the tree that plain text gives; `parse` is the way in."""
