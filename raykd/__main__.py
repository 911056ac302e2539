"""``python -m raykd`` is ``raykd``."""

from raykd.import_path import leave_out_working_folder

leave_out_working_folder(module=True)

from raykd.cli import main  # noqa: E402

main()
