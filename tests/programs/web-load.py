# SPDX-License-Identifier: GPL-2.0-only
"""Asks a web server again and again, by many threads.

usage: web-load.py HOST PORT THREADS FOLDER; writes the number of good answers into FOLDER/answers until FOLDER/enough
is there, then FOLDER/result: "N asked, N answered", and the first failure.
"""
import os
import socket
import sys
import threading
import time

host, port, n, folder = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
asked, answered, failures, lock = 0, 0, [], threading.Lock()


def ask(number):
    path = f"/{number}.php"
    with socket.create_connection((host, port), 60) as connection:
        connection.sendall(f"GET {path} HTTP/1.0\r\nHost: test\r\n\r\n".encode())
        got = b""
        while part := connection.recv(65536):
            got += part
    if not got.startswith(b"HTTP/1.") or b" 200 " not in got.split(b"\r\n")[0] or not got.endswith(f"answer to {path}".encode()):
        raise ValueError(got)


def work():
    global asked, answered
    while not os.path.exists(folder + "/enough"):
        with lock:
            asked += 1
            number = asked
        try:
            ask(number)
            answered += 1
        except Exception as error:
            failures.append(f"{number}: {error!r}")


def write(name, text):
    with open(f"{folder}/{name}.new", "w") as file:
        file.write(text)
    os.rename(f"{folder}/{name}.new", f"{folder}/{name}")


threads = [threading.Thread(target=work) for _ in range(n)]
for thread in threads:
    thread.start()
while any(thread.is_alive() for thread in threads):
    write("answers", str(answered))
    time.sleep(0.02)
write("result", f"{asked} asked, {answered} answered {failures[:3]}")
