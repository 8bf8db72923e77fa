"""`python -m paperback`: the command line."""

from paperback.cli.main import main

if __name__ == "__main__":
    main()
