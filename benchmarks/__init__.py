"""Speed beside other frameworks: one command per table. See README.md."""
