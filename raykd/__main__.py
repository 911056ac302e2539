"""``python -m raykd`` is ``raykd``."""

from raykd.cli import main

main()
