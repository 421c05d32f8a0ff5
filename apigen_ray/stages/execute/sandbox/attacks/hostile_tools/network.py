"""Attacks that need a network, or a socket of any kind."""

import socket
from typing import Any

from .registry import attack


@attack("raised")
def connect_out() -> None:
    """No connection can be made."""
    socket.create_connection(("1.1.1.1", 53), 1)


@attack("raised")
def resolve_name() -> Any:
    """No name can be looked up."""
    return socket.getaddrinfo("example.com", 80)


@attack("raised")
def read_cloud_metadata() -> None:
    """The cloud's metadata address can't be reached."""
    socket.create_connection(("169.254.169.254", 80), 1)


@attack("raised")
def connect_to_loopback() -> None:
    """Services on the loopback address can't be reached."""
    socket.create_connection(("127.0.0.1", 8265), 1)


@attack("raised")
def listen_on_a_port() -> None:
    """No port can be listened on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()


@attack("raised")
def open_docker_socket() -> None:
    """The Docker engine can't be reached."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect("/var/run/docker.sock")


@attack("raised")
def open_raw_socket() -> None:
    """No raw socket can be made."""
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)


@attack("raised")
def open_netlink_socket() -> None:
    """No netlink socket can be made."""
    socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)


@attack("raised")
def open_packet_socket() -> None:
    """No packet socket can be made."""
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)


@attack("raised")
def open_vsock() -> None:
    """No socket to the hypervisor can be made."""
    socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
