"""Sends packets that no program would: each given as hexadecimal digits, in order.

  udp SOURCE DESTINATION PORT PAYLOAD...       datagrams, each by itself
  train SOURCE DESTINATION PORT PAYLOAD...     datagrams of one size in one call (UDP_SEGMENT), which arrive joined
  zero SOURCE DESTINATION PORT PAYLOAD...      datagrams over IPv4 without checksum
  raw SOURCE DESTINATION PROTOCOL PAYLOAD...   what goes behind an IPv4 header
  packet DESTINATION PACKET...                 whole packets, IP header included
"""
import json
import socket
import sys

UDP_SEGMENT = 103
SO_NO_CHECK = 11


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def datagrams(kind, source, destination, port, *payloads):
    sender = socket.socket(family(source), socket.SOCK_DGRAM)
    sender.bind((source, 0))
    if kind == "zero":
        sender.setsockopt(socket.SOL_SOCKET, SO_NO_CHECK, 1)
    if kind == "train":
        sender.setsockopt(socket.SOL_UDP, UDP_SEGMENT, len(payloads[0]))
        payloads = [b"".join(payloads)]
    for payload in payloads:
        sender.sendto(payload, (destination, int(port)))


def raw(source, destination, protocol, *payloads):
    sender = socket.socket(socket.AF_INET, socket.SOCK_RAW, int(protocol))
    sender.bind((source, 0))
    for payload in payloads:
        sender.sendto(payload, (destination, 0))


def packets(destination, *whole):
    sender = socket.socket(family(destination), socket.SOCK_RAW, socket.IPPROTO_RAW)
    if family(destination) == socket.AF_INET6:
        sender.setsockopt(socket.IPPROTO_IPV6, 36, 1)  # IPV6_HDRINCL
    for packet in whole:
        sender.sendto(packet, (destination, 0))


kind, *rest = sys.argv[1:]
if kind == "packet":
    packets(rest[0], *map(bytes.fromhex, rest[1:]))
elif kind == "raw":
    raw(*rest[:3], *map(bytes.fromhex, rest[3:]))
else:
    datagrams(kind, *rest[:3], *map(bytes.fromhex, rest[3:]))
print(json.dumps({"sent": True}))
