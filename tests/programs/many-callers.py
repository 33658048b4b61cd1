# SPDX-License-Identifier: GPL-2.0-only
"""Six threads that make connections, one after the other, until FOLDER/enough is there.

usage: many-callers.py PORT FOLDER; writes counts and what went wrong into FOLDER
"""
import os
import socket
import sys
import threading
import time

port, folder = int(sys.argv[1]), sys.argv[2]
done = [0] * 6


def knock(i):
    while not os.path.exists(folder + "/enough"):
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
                connection.sendall(b"hello %d" % done[i])
                assert connection.recv(100) == b"HELLO %d" % done[i]
            done[i] += 1
        except Exception as error:
            with open(folder + "/wrong", "a") as file:
                file.write(repr(error) + "\n")


threads = [threading.Thread(target=knock, args=(i,)) for i in range(6)]
for thread in threads:
    thread.start()
while not os.path.exists(folder + "/enough"):
    with open(folder + "/count.new", "w") as file:
        file.write(str(min(done)))
    os.rename(folder + "/count.new", folder + "/count")
    time.sleep(0.02)
for thread in threads:
    thread.join()
open(folder + "/over", "w").close()
