"""`python -m leakguard`."""

from leakguard.cli import main

if __name__ == "__main__":
    main()
