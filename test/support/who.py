"""Who answers at a port, and as whom the question came: the two ends of test/support/who.ts.

  serve NAME PORT                               answers every connection and datagram with NAME and where it came from
  ask PROTOCOL ADDRESS PORT SOURCEPORT SECONDS  one question; SOURCEPORT 0 is any

Both print one JSON object: {"port": N} when it listens; {"name": …, "from": …} or {"error": …}.
"""
import json
import socket
import sys
import threading


def say(**values):
    print(json.dumps(values), flush=True)


def serve(name, port):
    def open_socket(kind):
        server = socket.socket(socket.AF_INET6, kind)
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("::", int(port)))
        return server

    def answer(peer):
        return json.dumps({"name": name, "from": peer[0].removeprefix("::ffff:")}).encode()

    def datagrams(server):
        while True:
            _, peer = server.recvfrom(2048)
            server.sendto(answer(peer), peer)

    udp, tcp = open_socket(socket.SOCK_DGRAM), open_socket(socket.SOCK_STREAM)
    tcp.listen()
    threading.Thread(target=datagrams, args=(udp,), daemon=True).start()
    say(port=int(port))
    while True:
        stream, peer = tcp.accept()
        with stream:
            stream.sendall(answer(peer))


def ask(protocol, address, port, source, seconds):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    with socket.socket(family, kind) as client:
        client.settimeout(float(seconds))
        client.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", int(source)))
        try:
            client.connect((address, int(port)))
            if protocol == "udp":
                client.send(b"who?")
            say(**json.loads(client.recv(2048)))
        except OSError as error:
            say(error=type(error).__name__)


if __name__ == "__main__":
    {"serve": serve, "ask": ask}[sys.argv[1]](*sys.argv[2:])
