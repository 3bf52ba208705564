#!/usr/bin/env python3
"""make_mmdb.py - writes the *.mmdb files beside it from databases.json.

    tests/spec/geoip/make_mmdb.py [FOLDER]      (default: its own)

databases.json: file name -> {"type": ..., "ip_version": 4 or 6, "networks": {"192.0.2.0/24": record}}.
Integers become the width that their name has in MaxMind's databases. Format: the MaxMind DB file
format specification, version 2.0. The files are committed; run this after a change of the JSON.
"""
import ipaddress
import json
import os
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
UINT16 = {'accuracy_radius', 'metro_code', 'record_size', 'ip_version', 'binary_format_major_version',
          'binary_format_minor_version'}


def control(kind, size):
    """the type and size bytes in front of a value"""
    low, tail = size, b''
    if size >= 285:
        low, tail = 30, struct.pack('>H', size - 285)
    elif size >= 29:
        low, tail = 29, bytes([size - 29])
    if kind <= 7:
        return bytes([kind << 5 | low]) + tail
    return bytes([low, kind - 7]) + tail


def number(kind, value, size):
    raw = value.to_bytes(size, 'big').lstrip(b'\0')
    return control(kind, len(raw)) + raw


def encode(value, name=''):
    if isinstance(value, dict):
        return control(7, len(value)) + b''.join(encode(k) + encode(v, k) for k, v in value.items())
    if isinstance(value, list):
        return control(11, len(value)) + b''.join(encode(v) for v in value)
    if isinstance(value, bool):
        return control(14, int(value))
    if isinstance(value, int):
        if name == 'build_epoch':
            return number(9, value, 8)
        return number(5, value, 2) if name in UINT16 else number(6, value, 4)
    if isinstance(value, float):
        return control(3, 8) + struct.pack('>d', value)
    raw = value.encode()
    return control(2, len(raw)) + raw


def tree(networks, version):
    """nodes of two records each; a record is None, an index or a ('data', offset)"""
    nodes, data = [[None, None]], b''
    for text, record in networks.items():
        net = ipaddress.ip_network(text)
        bits = net.prefixlen + (96 if version == 6 and net.version == 4 else 0)
        width = 128 if version == 6 else 32
        address = int(net.network_address)
        at = 0
        for i in range(bits):
            bit = address >> (width - 1 - i) & 1
            if i == bits - 1:
                nodes[at][bit] = ('data', len(data))
                break
            if nodes[at][bit] is None:
                nodes.append([None, None])
                nodes[at][bit] = len(nodes) - 1
            at = nodes[at][bit]
        data += encode(record)
    return nodes, data


def write(path, spec):
    version = spec.get('ip_version', 6)
    nodes, data = tree(spec['networks'], version)
    out = b''
    for node in nodes:
        for record in node:
            if record is None:
                record = len(nodes)
            elif isinstance(record, tuple):
                record = len(nodes) + 16 + record[1]
            out += record.to_bytes(3, 'big')
    meta = {'binary_format_major_version': 2, 'binary_format_minor_version': 0, 'build_epoch': 1700000000,
            'database_type': spec['type'], 'description': {'en': 'test data'}, 'ip_version': version,
            'languages': ['en'], 'node_count': len(nodes), 'record_size': 24}
    with open(path, 'wb') as file:
        file.write(out + b'\0' * 16 + data + b'\xab\xcd\xefMaxMind.com' + encode(meta))


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else HERE
    with open(os.path.join(HERE, 'databases.json'), encoding='utf-8') as file:
        for name, spec in json.load(file).items():
            write(os.path.join(folder, name), spec)


main()
