"""`raykd submit`: a command line of raykd as a job of a Ray cluster, followed from anywhere."""
