"""`make env`: each role gets all addresses, its own credentials, and those of no other role."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from configuration import REPOSITORY
from configuration.environment import user_environment
from configuration.errors import SettingsError
from infra.services.model import Lakehouse
from tests.support.scratch import describe_scratch
from tests.support.terminals import ATTACK, SHOWN, obeyed

ADDRESSES = {
    "KAFKA_BOOTSTRAP_SERVERS",
    "S3_ENDPOINT",
    "S3_REGION",
    "TRINO_URL",
    "TRINO_HOST",
    "TRINO_PORT",
    "TRINO_CA_FILE",
    "SUPERSET_URL",
    "FLINK_URL",
}
OF_ANALYSTS = {
    "postgres_analyst_password",
    "s3_analyst_access_key",
    "s3_analyst_secret_key",
    "trino_analyst_password",
}
# The secrets that each role gets.
SECRETS = {
    "analyst": {*OF_ANALYSTS, "superset_analyst_password"},
    "etl": {"trino_etl_password"},
    "sender": {"kafka_sender_password"},
    "admin": {
        *OF_ANALYSTS,
        "superset_admin_password",
        "kafka_admin_password",
        "flink_operator_password",
    },
}
USERS = {
    "analyst": {"TRINO_USER": "analyst", "SUPERSET_USER": "analyst"},
    "etl": {"TRINO_USER": "etl"},
    "sender": {"KAFKA_SASL_USERNAME": "sender"},
    "admin": {"KAFKA_SASL_USERNAME": "admin", "TRINO_USER": "analyst", "SUPERSET_USER": "admin"},
}


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Lakehouse:
    return describe_scratch(tmp_path_factory.mktemp("own"))


@pytest.mark.parametrize("role", SECRETS)
def test_role_gets_its_own_secrets_only(own: Lakehouse, role: str) -> None:
    told = " ".join(user_environment(own.settings, own.secrets, role).values())
    known = {name for name, secret in own.secrets.model_dump().items() if secret in told}
    assert known == SECRETS[role]


@pytest.mark.parametrize("role", USERS)
def test_role_gets_all_addresses_and_its_own_users(own: Lakehouse, role: str) -> None:
    told = user_environment(own.settings, own.secrets, role)
    assert told.keys() >= ADDRESSES
    users = {name: value for name, value in told.items() if name in USERS["admin"]}
    assert users == USERS[role]


def test_shell_of_etl_finds_our_dbt_first_however_often_it_asks(
    own: Lakehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    for _ in range(2):
        told = user_environment(own.settings, own.secrets, "etl")
        assert told["PATH"] == f"{REPOSITORY / 'infra/bin'}:/usr/bin:/bin"
        monkeypatch.setenv("PATH", told["PATH"])


def test_role_is_the_analyst_when_none_is_named(own: Lakehouse) -> None:
    asked = user_environment(own.settings, own.secrets, "analyst")
    assert user_environment(own.settings, own.secrets) == asked


@pytest.mark.parametrize("role", ["", "root", "Admin"])
def test_unknown_role_is_refused_with_the_known_ones(own: Lakehouse, role: str) -> None:
    with pytest.raises(SettingsError, match=f"^ROLE={role}: .* analyst, etl, sender, admin$"):
        user_environment(own.settings, own.secrets, role)


def test_shell_gets_nothing_to_run_when_the_role_is_unknown(own: Lakehouse) -> None:
    ended = print_environment(own, "root; touch here")
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert "ROLE=root; touch here: no such role" in ended.stderr


def test_error_shows_control_characters_escaped(own: Lakehouse) -> None:
    ended = print_environment(own, ATTACK)
    assert ended.returncode == 1
    assert SHOWN in ended.stderr
    assert obeyed(ended.stderr) == ""


def test_shell_gets_the_variables_of_the_role(own: Lakehouse) -> None:
    script = 'eval "$("$0" -m infra env etl)" && echo "$TRINO_USER $TRINO_PASSWORD"'
    ended = run_in(own, "sh", "-c", script, sys.executable)
    assert ended.stdout == f"etl {own.secrets.trino_etl_password}\n"


def print_environment(own: Lakehouse, role: str) -> subprocess.CompletedProcess[str]:
    return run_in(own, sys.executable, "-m", "infra", "env", role)


def run_in(own: Lakehouse, *command: str | Path) -> subprocess.CompletedProcess[str]:
    topology = {"TRIBUTARY_TOPOLOGY": str(own.settings.topology_file)}
    return subprocess.run(
        command,
        cwd=REPOSITORY,
        env={**os.environ, **topology},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
