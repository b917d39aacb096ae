"""`python -m tocsin` and the command `tocsin`: the edges of the process, before and after any command."""

import errno
import os
import sys

_UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EPIPE}


def main() -> None:
    """Run one command; a person's Ctrl-C or an output that takes no more ends it in one line, at any moment."""
    try:
        from tocsin.cli.main import run  # here: Ctrl-C may come while this is imported

        try:
            run()
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        if error.errno not in _UNWRITABLE:
            raise
        # What is still buffered would be written at exit, and fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(f"tocsin: the output cannot be written: {error.strerror}")


if __name__ == "__main__":
    main()
