"""Ethernet frames and files of them, for tests of poll-mode ports. Addresses are texts."""
import socket
import struct

PEER = bytes.fromhex("020000000099")


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(">%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def packed(address):
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def ethernet(mac, kind, data, tags=()):
    head = mac + PEER + b"".join(struct.pack(">HH", 0x8100, tag) for tag in tags)
    return (head + struct.pack(">H", kind) + data).ljust(60, b"\0")


def pseudo(source, target, protocol, n):
    rest = struct.pack(">II", n, protocol) if ":" in target else struct.pack(">HH", protocol, n)
    return packed(source) + packed(target) + rest


def udp(source, target, port, text, from_port=40000):
    data = struct.pack(">HHHH", from_port, port, 8 + len(text), 0) + text
    total = checksum(pseudo(source, target, 17, len(data)) + data) or 0xFFFF
    return data[:6] + struct.pack(">H", total) + data[8:]


def ip(source, target, protocol, data, fragment=0, hops=64):
    if ":" in target:
        return struct.pack(">IHBB", 6 << 28, len(data), protocol, hops) + packed(source) + packed(target) + data
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(data), 1, fragment, hops, protocol, 0) + packed(source) + packed(target)
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + data


def datagram(mac, source, target, port, text, tags=(), fragment=0, from_port=40000):
    data = ip(source, target, 17, udp(source, target, port, text, from_port), fragment)
    return ethernet(mac, 0x86DD if ":" in target else 0x0800, data, tags)


def arp_request(source, target):
    return ethernet(b"\xff" * 6, 0x0806, b"\0\1\x08\0\6\4\0\1" + PEER + packed(source) + b"\0" * 6 + packed(target))


def solicitation(source, target):
    group = "ff02::1:ff%02x:%02x%02x" % tuple(packed(target)[13:])
    data = b"\x87\0\0\0\0\0\0\0" + packed(target) + b"\1\1" + PEER
    data = data[:2] + struct.pack(">H", checksum(pseudo(source, group, 58, len(data)) + data)) + data[4:]
    return ethernet(b"\x33\x33\xff" + packed(target)[13:], 0x86DD, ip(source, group, 58, data, hops=255))


def write_pcap(path, frames):
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for frame in frames:
            out.write(struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame)


def read_pcap(path):
    with open(path, "rb") as file:
        data = file.read()
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    at, frames = 24, []
    while at + 16 <= len(data):
        n = struct.unpack(order + "I", data[at + 8:at + 12])[0]
        frames.append(data[at + 16:at + 16 + n])
        at += 16 + n
    return frames
