"""An IPIP end point that owes nothing to Weft: packets between a TUN and raw sockets of protocol 4 and 41.

  ipip-peer.py LOCAL REMOTE

What the namespace routes to the interface ipip0 goes to REMOTE behind an IPv4 header, what comes from there goes in.
"""
import fcntl
import json
import os
import select
import socket
import struct
import sys

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 1, 0x1000

local, remote = sys.argv[1:]
tun = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", b"ipip0", IFF_TUN | IFF_NO_PI))
raw = {}
for version, protocol in (4, 4), (6, 41):
    raw[version] = socket.socket(socket.AF_INET, socket.SOCK_RAW, protocol)
    raw[version].bind((local, 0))
print(json.dumps({"ready": True}), flush=True)
while True:
    for readable in select.select([tun, *raw.values()], [], [])[0]:
        if readable is tun:
            packet = os.read(tun, 65536)
            raw[packet[0] >> 4].sendto(packet, (remote, 0))
        else:
            packet, (sender, _) = readable.recvfrom(65536)
            if sender == remote:
                os.write(tun, packet[4 * (packet[0] & 15):])
