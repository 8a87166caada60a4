"""Asks the network by mDNS for hearthwatch.local until somebody answers, and prints the addresses, one a line.

Started in a network namespace of its own: announced.py CARD-ADDRESS SECONDS.
"""

import socket, struct, sys, time

own, seconds = sys.argv[1], float(sys.argv[2])
GROUP = "224.0.0.251"
NAME = b"\x0bhearthwatch\x05local\x00"


def skip(message, at):
    while True:
        length = message[at]
        if length == 0:
            return at + 1
        if length >= 192:
            return at + 2
        at += 1 + length


def name(message, at):
    labels = []
    while message[at]:
        if message[at] >= 192:
            at = struct.unpack("!H", message[at : at + 2])[0] & 0x3FFF
            continue
        labels.append(message[at + 1 : at + 1 + message[at]])
        at += 1 + message[at]
    return b".".join(labels).lower()


def addresses(message):
    questions, *sections = struct.unpack("!4H", message[4:12])
    at = 12
    for _ in range(questions):
        at = skip(message, at) + 4
    for _ in range(sum(sections)):
        owner = name(message, at)
        at = skip(message, at)
        kind, _, _, length = struct.unpack("!HHIH", message[at : at + 10])
        at += 10
        if owner == b"hearthwatch.local" and kind == 1:
            yield socket.inet_ntoa(message[at : at + 4])
        at += length


asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
asking.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
asking.bind(("", 5353))
asking.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(GROUP) + socket.inet_aton(own))
asking.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(own))
asking.settimeout(0.5)
end = time.time() + seconds
while time.time() < end:
    asking.sendto(struct.pack("!6H", 0, 0, 1, 0, 0, 0) + NAME + struct.pack("!2H", 1, 1), (GROUP, 5353))
    again = time.time() + 1
    while time.time() < again:
        try:
            message = asking.recv(9000)
        except TimeoutError:
            continue
        # Answers alone, and not the name's first owner asking whether it is free.
        found = sorted(set(addresses(message))) if message[2] & 128 else []
        if found:
            print("\n".join(found))
            sys.exit(0)
sys.exit("nobody answered")
