#!/bin/bash
# Run once by the image, on an empty data folder: a role and a database for MLflow and for raykd each, so that neither
# can read the other's. Passwords are files of the Secret; psql quotes them itself.
set -euo pipefail
folder="${PASSWORDS:-/run/secrets/postgres}"

create() { # role, password file, databases
  psql --quiet --set=ON_ERROR_STOP=1 --username "$POSTGRES_USER" --set=role="$1" --set=password="$(cat "$folder/$2")" <<'SQL'
CREATE ROLE :"role" LOGIN PASSWORD :'password';
SQL
  for database in "${@:3}"; do
    psql --quiet --set=ON_ERROR_STOP=1 --username "$POSTGRES_USER" --set=role="$1" --set=database="$database" <<'SQL'
CREATE DATABASE :"database" OWNER :"role";
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
SQL
  done
}

create mlflow mlflow-password mlflow mlflow_auth
create raykd raykd-password raykd
