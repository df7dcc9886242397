"""Inner ports of Flink (RPC, files, data) and Kafka (broker, controller) ask for a certificate."""

import socket
import ssl

import psutil

from infra.services.model import Lakehouse
from tests.support.lakehouses import RunningLakehouse

SECONDS = 10


def test_every_port_of_flink_refuses_a_client_without_its_certificate(
    lakehouse: RunningLakehouse, own: Lakehouse
) -> None:
    ports = list_ports(lakehouse, "jobmanager") | list_ports(lakehouse, "taskmanager")
    # JobManager: REST, RPC, files. TaskManager: RPC, data.
    assert len(ports) >= 5
    assert {port for port in ports if is_open(port, certificate=None)} == set()
    # Clients of the REST API need not be members of the cluster.
    rest_identity = str(own.settings.flink_identity_file)
    accepted = {port for port in ports if is_open(port, rest_identity)}
    assert accepted == {own.settings.topology.flink.rest_port}


def test_kafkas_own_ports_refuse_a_client_without_the_brokers_certificate(own: Lakehouse) -> None:
    kafka = own.settings.topology.kafka
    ports = {kafka.broker_port, kafka.controller_port}
    assert {port for port in ports if is_open(port, certificate=None)} == set()
    another = str(own.settings.flink_identity_file)
    assert {port for port in ports if is_open(port, another)} == set()
    identity = str(own.settings.kafka_identity_file)
    assert {port for port in ports if is_open(port, identity)} == ports


def list_ports(lakehouse: RunningLakehouse, service: str) -> set[int]:
    """The ports on which a service listens."""
    parent = psutil.Process(lakehouse.pids()[service])
    return {
        connection.laddr.port
        for process in [parent, *parent.children(recursive=True)]
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }


def is_open(port: int, certificate: str | None) -> bool:
    """Whether the port takes what we send: in plain text, or over TLS with this certificate."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.check_hostname = False
    tls.verify_mode = ssl.CERT_NONE
    tls.maximum_version = ssl.TLSVersion.TLSv1_2  # the handshake includes the client's certificate
    if certificate:
        tls.load_cert_chain(certificate)
    with socket.create_connection(("127.0.0.1", port), SECONDS) as raw:
        try:
            tls.wrap_socket(raw).close()
        except OSError as error:
            return is_plain(error)
    return True


def is_plain(error: OSError) -> bool:
    """Whether a handshake failed because the other end does not speak TLS."""
    return isinstance(error, TimeoutError) or "WRONG_VERSION_NUMBER" in str(error)
