"""The proxy loses the network in each of the ways it offers."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time

import pytest


@pytest.fixture
def echo():
    """An echo server in a thread; its address."""
    server = socket.create_server(("127.0.0.1", 0))
    threads = []

    def answer(connection):
        with connection:
            try:
                while data := connection.recv(65536):
                    connection.sendall(data)
            except OSError:
                return  # broken on purpose

    def serve():
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threads.append(threading.Thread(target=answer, args=(connection,)))
            threads[-1].start()

    threads.append(threading.Thread(target=serve))
    threads[0].start()
    yield server.getsockname()
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    for thread in threads:
        thread.join()


@pytest.fixture
def proxy(echo, start_proxy):
    return start_proxy(*echo)


@pytest.fixture
def connect(proxy):
    clients = []

    def new():
        client = socket.create_connection((proxy.host, proxy.port), timeout=5)
        clients.append(client)
        return client

    yield new
    for client in clients:
        client.close()


def ask(client, data):
    client.sendall(data)
    answer = b""
    while len(answer) < len(data):
        piece = client.recv(65536)
        if not piece:
            break
        answer += piece
    return answer


def ask_once(connect):
    """The reset may meet the connect already."""
    return ask(connect(), b"x")


def read_all(client, into=None):
    into = bytearray() if into is None else into
    while piece := client.recv(65536):
        into += piece
    return into


def test_forwards_and_counts(proxy, connect):
    data = bytes(range(256)) * 2000
    first = connect()
    threading.Thread(target=first.sendall, args=(data,)).start()
    got = b""
    while len(got) < len(data):
        got += first.recv(65536)
    assert got == data
    assert ask(connect(), b"two") == b"two"
    assert (proxy.accepted, proxy.open_connections) == (2, 2)


def test_forwards_the_end(connect):
    client = connect()
    client.sendall(b"last words")
    client.shutdown(socket.SHUT_WR)
    assert client.makefile("rb").read() == b"last words"


def test_cut_ends_connections_and_takes_new_ones(proxy, connect):
    client = connect()
    assert ask(client, b"x") == b"x"
    proxy.cut()
    assert client.recv(1) == b""
    assert proxy.open_connections == 0
    assert ask(connect(), b"again") == b"again"


def test_reset_breaks(proxy, connect):
    client = connect()
    assert ask(client, b"x") == b"x"
    proxy.reset()
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    assert ask(connect(), b"again") == b"again"


def test_refuse_and_accept_on_the_same_port(proxy, connect):
    client = connect()
    assert ask(client, b"x") == b"x"
    port = proxy.port
    proxy.refuse()
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    with pytest.raises(ConnectionRefusedError):
        connect()
    proxy.accept()
    assert proxy.port == port
    assert ask(connect(), b"again") == b"again"


def test_stall_holds_old_and_new_connections(proxy, connect):
    old = connect()
    assert ask(old, b"x") == b"x"
    proxy.stall()
    new = connect()
    for client in (old, new):
        client.sendall(b"held")
        client.settimeout(0.1)
        with pytest.raises(TimeoutError):
            client.recv(4)
        client.settimeout(5)
    proxy.resume()
    assert (old.recv(4), new.recv(4)) == (b"held", b"held")


def test_delay(proxy, connect):
    proxy.delay = 0.1
    client = connect()
    start = time.monotonic()
    assert ask(client, b"x") == b"x"
    assert time.monotonic() - start >= 0.2  # once each way


@pytest.mark.parametrize(
    ("direction", "arrives"), [("up", b"01234"), ("down", b"01234")]
)
def test_cut_after_some_bytes(proxy, connect, direction, arrives):
    client = connect()
    proxy.after(5, "cut", direction=direction)
    client.sendall(b"0123456789")
    got = client.makefile("rb").read()
    assert arrives.startswith(got)
    if direction == "down":
        assert got == arrives
    assert ask(connect(), b"0123456789") == b"0123456789"  # once is once


def test_counts_over_all_connections(proxy, connect):
    proxy.after(6, "reset")
    assert ask(connect(), b"1234") == b"1234"
    second = connect()
    second.sendall(b"5678")
    with pytest.raises(ConnectionResetError):
        read_all(second)


def test_stall_after_some_bytes_holds_the_rest(proxy, connect):
    client = connect()
    proxy.after(3, "stall")
    client.sendall(b"0123456789")
    client.settimeout(0.2)
    got = bytearray()
    with pytest.raises(TimeoutError):
        read_all(client, got)
    assert b"012".startswith(got)  # its answer may be held as well
    proxy.resume()
    client.settimeout(5)
    client.shutdown(socket.SHUT_WR)
    read_all(client, got)
    assert got == b"0123456789"


def test_reset_at_a_pattern(proxy, connect):
    proxy.on(b"POST /bucket", "reset")
    client = connect()
    assert ask(client, b"GET /bucket") == b"GET /bucket"
    client.sendall(b"POST /bucket/key?uploads")
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    assert ask(connect(), b"POST /bucket") == b"POST /bucket"


def test_target_may_move(proxy, connect):
    listener = socket.create_server(("127.0.0.1", 0))
    with listener:
        proxy.target = listener.getsockname()
        client = connect()
        client.sendall(b"hello")
        with listener.accept()[0] as server:
            assert server.recv(5) == b"hello"


def test_a_server_that_is_gone_is_a_reset(proxy, connect):
    with socket.create_server(("127.0.0.1", 0)) as gone:
        proxy.target = gone.getsockname()
    with pytest.raises(ConnectionResetError):
        ask_once(connect)


def test_serves_other_processes(proxy):
    code = (
        "import socket, sys\n"
        f"client = socket.create_connection(('{proxy.host}', {proxy.port}))\n"
        "client.sendall(b'hello')\n"
        "sys.exit(client.recv(5) != b'hello')\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=20)


async def test_may_be_told_from_a_coroutine(proxy, connect):
    proxy.stall()
    proxy.resume()
    proxy.close()
    proxy.close()
    with pytest.raises(ConnectionRefusedError):
        connect()
