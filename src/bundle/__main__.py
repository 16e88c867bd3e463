"""``python -m bundle`` is ``xfer``."""

from bundle.cli import main

if __name__ == "__main__":
    main()
