"""`python -m deepsight` is the command `deepsight`."""

from deepsight.cli import main

if __name__ == "__main__":
    main()
