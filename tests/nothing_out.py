"""Runs the demo in a network namespace of its own, behind a route to everywhere, and prints where packets went. It listens on
every card, so that it announces itself there too.

Started within the namespace: nothing_out.py HEARTHWATCH DIR SECONDS. Prints one JSON object: destinations seen while the demo
ran and its pages were read, and those of a packet sent on purpose afterwards, which shows that the watching works.
"""

import ipaddress, json, re, socket, struct, subprocess, sys, threading, time, urllib.request

hearthwatch, folder, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
seen, done = {}, threading.Event()


def destination(frame):
    kind = struct.unpack("!H", frame[12:14])[0]
    if kind == 0x0800:
        length = (frame[14] & 15) * 4
        address, protocol, rest = ipaddress.ip_address(frame[30:34]), frame[23], frame[14 + length :]
    elif kind == 0x86DD:
        address, protocol, rest = ipaddress.ip_address(frame[38:54]), frame[20], frame[54:]
    elif kind == 0x0806:
        return "arp " + str(ipaddress.ip_address(frame[38:42]))
    else:
        return f"ethertype {kind:#x}"
    port = struct.unpack("!H", rest[2:4])[0] if protocol in (6, 17) and len(rest) >= 4 else 0
    return f"{address} {port}"


def watch():
    sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    sniffer.bind(("out0", 0))
    sniffer.settimeout(0.2)
    while not done.is_set():
        try:
            frame = sniffer.recv(65535)
        except TimeoutError:
            continue
        where = destination(frame)
        seen[where] = seen.get(where, 0) + 1


watcher = threading.Thread(target=watch)
watcher.start()
time.sleep(0.5)
demo = subprocess.Popen(
    [hearthwatch, "demo", "--cameras", "2", "--dir", folder, "--listen", "0.0.0.0:0"], stdout=subprocess.PIPE, text=True
)
link = next(line.split()[1] for line in demo.stdout if line.startswith("ready:"))
origin = re.match(r"http://[^/]+", link)[0]
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor())
pages = 0
opener.open(link).read()
end = time.time() + seconds
while time.time() < end:
    for path in ["/", "/events", "/cameras", "/activity", "/account", "/people", "/api/cameras", "/api/events", "/api/health"]:
        pages += len(opener.open(origin + path).read()) > 0
    time.sleep(1)
demo.send_signal(2)
code = demo.wait(30)
time.sleep(0.5)
while_running = dict(seen)
seen.clear()
probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
probe.sendto(b"on purpose", ("8.8.8.8", 53))
time.sleep(1)
done.set()
watcher.join()
print(json.dumps({"seen": while_running, "on_purpose": seen, "pages": pages, "code": code}))
