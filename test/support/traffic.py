"""Traffic between pods, checked by hash: the programs at both ends of test/support/traffic.ts.

  tcp-serve BYTES SEED                      accepts one connection, sends BYTES both ways at once
  tcp-connect ADDRESS PORT BYTES SEED       the other end of it
  tcp-echo                                  sends everything back, one connection
  tcp-hold ADDRESS PORT SECONDS             a number each way every 20 ms for SECONDS, over one connection
  udp-echo [FLAGS]                          sends every datagram back to where it came from
  udp-sizes ADDRESS PORT FLAGS SIZE...      sends one datagram of each size and compares the answer
  udp-flows ADDRESS PORT FLOWS SECONDS      a datagram every 10 ms in each of FLOWS, whose answers count
  udp-collect PORT SECONDS                  says in hexadecimal digits what arrives until nothing did for SECONDS
  udp-receive                               counts datagrams whose digest is right
  udp-send ADDRESS PORT COUNTxSIZExSEGMENT…   sends COUNT datagrams of SIZE bytes, SEGMENT of them in one call

Servers print {"port": N} first. All print one JSON object at the end. Datagrams carry a number and a digest of themselves.
"""
import hashlib
import json
import random
import socket
import struct
import sys
import threading
import time

CHUNK = 1 << 20
UDP_SEGMENT = 103
SO_RCVBUFFORCE = 33
IP_MTU_DISCOVER, IP_PMTUDISC_DONT = 10, 0
PATIENCE = 5


def say(**values):
    print(json.dumps(values), flush=True)


def listener(kind, port=0):
    server = socket.socket(socket.AF_INET6, kind)
    server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    if kind == socket.SOCK_DGRAM:
        server.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
    server.bind(("::", port))
    return server


def connect(kind, address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    client = socket.socket(family, kind)
    client.settimeout(PATIENCE)
    client.connect((address, int(port)))
    return client


def exchange(stream, size, seed):
    """Both ways at once, until the other end has sent everything."""
    stream.settimeout(30)
    sent = hashlib.sha256()

    def send():
        source = random.Random(seed)
        for at in range(0, size, CHUNK):
            chunk = source.randbytes(min(CHUNK, size - at))
            sent.update(chunk)
            stream.sendall(chunk)
        stream.shutdown(socket.SHUT_WR)

    sender = threading.Thread(target=send)
    sender.start()
    received = hashlib.sha256()
    count = 0
    while chunk := stream.recv(CHUNK):
        received.update(chunk)
        count += len(chunk)
    sender.join()
    say(sent=sent.hexdigest(), received=received.hexdigest(), bytes=count)


def tcp_serve(size, seed):
    server = listener(socket.SOCK_STREAM)
    server.listen()
    server.settimeout(30)
    say(port=server.getsockname()[1])
    stream, _ = server.accept()
    exchange(stream, int(size), int(seed))


def tcp_connect(address, port, size, seed):
    exchange(connect(socket.SOCK_STREAM, address, port), int(size), int(seed))


def tcp_echo():
    server = listener(socket.SOCK_STREAM)
    server.listen()
    say(port=server.getsockname()[1])
    stream, _ = server.accept()
    while data := stream.recv(65536):
        stream.sendall(data)


def tcp_hold(address, port, seconds):
    stream = connect(socket.SOCK_STREAM, address, port)
    stream.settimeout(20)
    say(connected=True)
    end = time.monotonic() + float(seconds)
    rounds = wrong = 0
    while time.monotonic() < end:
        number = struct.pack(">Q", rounds)
        stream.sendall(number)
        answer = b""
        while len(answer) < 8:
            part = stream.recv(8 - len(answer))
            if not part:
                raise ConnectionError("the other end has closed")
            answer += part
        wrong += answer != number
        rounds += 1
        time.sleep(0.02)
    say(rounds=rounds, wrong=wrong)


def udp_echo(flags=""):
    if "fragment" in flags:  # answers without DF too
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT)
        server.bind(("0.0.0.0", 0))
    else:
        server = listener(socket.SOCK_DGRAM)
    say(port=server.getsockname()[1])
    while True:
        data, sender = server.recvfrom(65536)
        server.sendto(data, sender)


def udp_sizes(address, port, flags, *sizes):
    client = connect(socket.SOCK_DGRAM, address, port)
    if "fragment" in flags:  # no DF: routers may cut it
        client.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT)
    source = random.Random(1)
    wrong = []
    for size in map(int, sizes):
        data = source.randbytes(size)
        client.send(data)
        try:
            if client.recv(65536) != data:
                wrong.append(size)
        except OSError as error:
            wrong.append(f"{size}: {error}")
            if len(wrong) > 2:
                break
    say(wrong=wrong, tried=len(sizes))


def udp_flows(address, port, flows, seconds):
    """Of each flow how many answers are missing at most one after the other; the first and last come before and after."""
    clients = [connect(socket.SOCK_DGRAM, address, port) for _ in range(int(flows))]
    answered = [set() for _ in clients]
    done = threading.Event()

    def listen(client, numbers):
        client.settimeout(0.2)
        while not done.is_set():
            try:
                numbers.add(struct.unpack(">I", client.recv(64))[0])
            except OSError:  # nothing came, or a router says that there is no way
                continue

    listeners = [threading.Thread(target=listen, args=pair) for pair in zip(clients, answered)]
    for listener in listeners:
        listener.start()
    say(began=True)
    start = time.monotonic()
    sent = 0
    while time.monotonic() < start + float(seconds):
        for client in clients:
            try:
                client.send(struct.pack(">I", sent))
            except OSError:
                pass
        sent += 1
        time.sleep(max(0, start + sent * 0.01 - time.monotonic()))
    time.sleep(0.5)
    done.set()
    for listener in listeners:
        listener.join()
    took = time.monotonic() - 0.5 - start

    def longest(numbers):
        most = run = 0
        for number in range(sent):
            run = 0 if number in numbers else run + 1
            most = max(most, run)
        return most

    gaps = [longest(numbers) for numbers in answered]
    missing = [sent - len(numbers) for numbers in answered]
    say(sent=sent, milliseconds=took * 1000 / sent, gaps=gaps, missing=missing)


def udp_collect(port, seconds):
    server = listener(socket.SOCK_DGRAM, int(port))
    server.settimeout(float(seconds))
    say(port=int(port))
    got = []
    try:
        while True:
            got.append(server.recv(65536).hex())
    except TimeoutError:
        say(got=got)


def udp_receive():
    server = listener(socket.SOCK_DGRAM)
    say(port=server.getsockname()[1])
    good = bad = late = 0
    last = -1
    server.settimeout(20)
    while True:
        data, sender = server.recvfrom(65536)
        if data == b"end":
            server.sendto(struct.pack(">I", good), sender)
            break
        if hashlib.sha256(data[:-32]).digest() != data[-32:]:
            bad += 1
            continue
        number, more = struct.unpack(">IB", data[:5])
        late += number < last
        last = number
        good += 1
        if not more:
            server.sendto(struct.pack(">I", good), sender)
    say(good=good, bad=bad, late=late)


def udp_send(address, port, *bulks):
    client = connect(socket.SOCK_DGRAM, address, port)
    client.settimeout(2)
    source = random.Random(2)
    number = silent = 0
    for bulk in bulks:
        count, size, segment = map(int, bulk.split("x"))
        client.setsockopt(socket.SOL_UDP, UDP_SEGMENT, size if segment > 1 else 0)
        for at in range(0, count, segment):
            length = min(segment, count - at)
            train = []
            for left in reversed(range(length)):
                body = struct.pack(">IB", number, left > 0) + source.randbytes(size - 37)
                train.append(body + hashlib.sha256(body).digest())
                number += 1
            client.send(b"".join(train))
            try:
                client.recv(16)  # one train under way at a time: what is lost was not lost for want of room
            except TimeoutError:
                silent += 1
                if silent > 3:
                    break
    client.setsockopt(socket.SOL_UDP, UDP_SEGMENT, 0)
    client.send(b"end")
    (good,) = struct.unpack(">I", client.recv(16))
    say(sent=number, good=good)


if __name__ == "__main__":
    globals()[sys.argv[1].replace("-", "_")](*sys.argv[2:])
