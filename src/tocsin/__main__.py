"""`python -m tocsin` is `tocsin`."""

from tocsin.cli.main import run

if __name__ == "__main__":
    run()
