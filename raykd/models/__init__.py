"""Teachers and students: found, checked, loaded, made, run and saved."""
