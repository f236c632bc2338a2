"""Authorities and certificates of tests."""

import os
import subprocess


def make_certificates(directory):
    """
    ca.pem, and of that authority server.pem for 127.0.0.1 and expired.pem, both with server.key; foreign.pem is
    another authority.
    """
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], check=True, cwd=directory,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for name in ("ca", "foreign"):
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN=test {name}",
                "-keyout", f"{name}.key", "-out", f"{name}.pem", "-addext", "basicConstraints=critical,CA:TRUE")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=server", "-keyout", "server.key",
            "-out", "server.csr")
    with open(os.path.join(directory, "ext"), "w", encoding="ascii") as file:
        file.write("subjectAltName=IP:127.0.0.1,DNS:fe.test\n")
    for name, days in (("server", "2"), ("expired", "-1")):
        openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                "-days", days, "-extfile", "ext", "-out", f"{name}.pem")
