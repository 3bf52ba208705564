"""pylogbeat_send.py PORT COUNT [PKI]: ships COUNT events with pylogbeat, waiting for every ACK.

Run by tools/servers/beats in its virtual environment. Events carry "sequence" 0..COUNT-1.
"""
import sys
import time

from pylogbeat import PyLogBeatClient


def main():
    port, count = int(sys.argv[1]), int(sys.argv[2])
    options = {}
    if len(sys.argv) > 3:
        pki = sys.argv[3]
        options = dict(ssl_enable=True, ssl_verify=True, keyfile=pki + "/client.key",
                       certfile=pki + "/client.crt", ca_certs=pki + "/ca.crt")
    client = PyLogBeatClient("127.0.0.1", port, timeout=20, **options)
    client.connect()
    sent = 0
    while sent < count:
        batch = []
        for sequence in range(sent, min(sent + 100, count)):
            batch.append({
                "@timestamp": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime()),
                "@version": "1",
                "message": "pylogbeat event %d" % sequence,
                "sequence": sequence,
                "@metadata": {"beat": "pylogbeat", "version": "2.1.0"},
            })
        client.send(batch)
        sent += len(batch)
    client.close()
    print("sent=%d" % sent)


if __name__ == "__main__":
    main()
